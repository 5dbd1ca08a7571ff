/* Fake LLM vendor for the benchmark: one thread, epoll, HTTP/1.1 keep-alive.
 *
 *   vendor [-i INTERVAL_MS] [-n CHUNKS] [-d DELAY_MS] PORT [PORT...]
 *
 * POST (any path)          -> one fixed OpenAI chat completion (about 900 bytes), after
 *                             the whole request body (Content-Length or chunked) was read
 * POST with "stream":true  -> OpenAI SSE: a role chunk at once, then CHUNKS content chunks, one
 *                             every INTERVAL_MS (0: all in one write), then the finish chunk,
 *                             the usage chunk and data: [DONE].  The content of chunk k is
 *                             " wK_T", T = CLOCK_MONOTONIC microseconds at the send, so a client
 *                             on the same machine can measure the delay of each chunk.
 * GET /__stats             -> {"requests":N,"streams":N,"chunks":N,"conns":N,"open":N}
 * GET /__last              -> head and body of the last POST, as received
 * GET /__pace?i=500&n=8    -> INTERVAL 500 ms and 8 CHUNKS for streams that begin from now on
 * Loopback only.  INTERVAL, CHUNKS and DELAY also come from VENDOR_INTERVAL_MS,
 * VENDOR_CHUNKS, VENDOR_DELAY_MS.   Built by the harness: cc -O2 -o vendor vendor.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *BODY =
"{\"id\":\"chatcmpl-CkB0fQp3xW9vT6sYhL2mNd8RzUa1e\",\"object\":\"chat.completion\",\"created\":1763850000,"
"\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
"\"The quarterly numbers look steady: revenue rose by 4.2 percent against the previous quarter, while the "
"operating costs stayed flat. The two regions that need attention are the north, where churn went up, and the "
"west, where the new contracts start one month later than planned.\",\"refusal\":null,\"annotations\":[]},"
"\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":263,\"completion_tokens\":58,"
"\"total_tokens\":321,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
"\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,"
"\"rejected_prediction_tokens\":0}},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_51db84afab\"}";

#define SSE_HEAD "{\"id\":\"chatcmpl-CkB0fQp3xW9vT6sYhL2mNd8RzUa1e\",\"object\":\"chat.completion.chunk\"," \
 "\"created\":1763850000,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\"," \
 "\"system_fingerprint\":\"fp_51db84afab\",\"choices\":["

typedef struct conn {
  int fd, listener, closing, want_write, streaming, k;
  int pace_ms, chunks;         /* of this stream */
  char *in; size_t nin, cin;
  char *out; size_t nout, cout, oout;
  size_t scan;                 /* progress inside a chunked request body */
  uint64_t due;                /* microseconds */
  struct conn *prev, *next;    /* list of streaming / delayed connections */
  int listed, plain_due;
} conn;

static int ep, interval_ms = 20, nchunks = 64, delay_ms = 0;
static uint64_t n_req, n_str, n_chk, n_conn, n_open;
static char *last; static size_t nlast, clast;
static conn timers = {.prev = &timers, .next = &timers};
static char resp[4096]; static int nresp;
static conn *dead[65536]; static int ndead;

static uint64_t now_us(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000u + t.tv_nsec / 1000; }

static void unlist(conn *c) { if (c->listed) { c->prev->next = c->next; c->next->prev = c->prev; c->listed = 0; } }
static void enlist(conn *c) { if (!c->listed) { c->prev = timers.prev; c->next = &timers; timers.prev->next = c; timers.prev = c; c->listed = 1; } }

static void drop(conn *c) {
  if (c->fd < 0) return;
  unlist(c); close(c->fd); c->fd = -1; n_open--;
  if (ndead < 65536) dead[ndead++] = c;
}
static void reap(void) { while (ndead) { conn *c = dead[--ndead]; free(c->in); free(c->out); free(c); } }

static void watch(conn *c) {
  struct epoll_event e = {.events = EPOLLIN | (c->want_write ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void put(conn *c, const char *p, size_t n) {
  if (c->nout + n > c->cout) { c->cout = (c->nout + n) * 2; c->out = realloc(c->out, c->cout); }
  memcpy(c->out + c->nout, p, n); c->nout += n;
}
static void flush_out(conn *c) {
  while (c->oout < c->nout) {
    ssize_t r = write(c->fd, c->out + c->oout, c->nout - c->oout);
    if (r < 0) {
      if (errno == EAGAIN) { if (!c->want_write) { c->want_write = 1; watch(c); } return; }
      drop(c); return;
    }
    c->oout += r;
  }
  c->oout = c->nout = 0;
  if (c->want_write) { c->want_write = 0; watch(c); }
  if (c->closing && !c->streaming && !c->plain_due) drop(c);
}
static void put_event(conn *c, const char *json) {
  char h[32]; size_t n = strlen(json) + 8;
  put(c, h, sprintf(h, "%zx\r\n", n)); put(c, "data: ", 6); put(c, json, n - 8); put(c, "\n\n\r\n", 4);
}
static void stream_event(conn *c, int k) {
  char b[1024];
  if (k == 0) { sprintf(b, SSE_HEAD "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}"); put_event(c, b); }
  else if (k <= c->chunks) {
    sprintf(b, SSE_HEAD "{\"index\":0,\"delta\":{\"content\":\" w%d_%llu\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}", k, (unsigned long long)now_us());
    put_event(c, b); n_chk++;
  } else {
    sprintf(b, SSE_HEAD "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":null}"); put_event(c, b);
    sprintf(b, SSE_HEAD "],\"usage\":{\"prompt_tokens\":263,\"completion_tokens\":%d,\"total_tokens\":%d,\"prompt_tokens_details\":{\"cached_tokens\":0}}}", c->chunks, 263 + c->chunks); put_event(c, b);
    put_event(c, "[DONE]"); put(c, "0\r\n\r\n", 5);
    c->streaming = 0; unlist(c);
  }
}
static void parse(conn *c);

static void start_stream(conn *c) {
  static const char *h = "HTTP/1.1 200 OK\r\nServer: vendor\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
  n_str++; c->streaming = 1; c->k = 0; c->pace_ms = interval_ms; c->chunks = nchunks; put(c, h, strlen(h));
  if (c->pace_ms == 0) { for (int k = 0; k <= c->chunks + 1; k++) stream_event(c, k); return; }
  stream_event(c, 0); c->k = 1; c->due = now_us() + c->pace_ms * 1000u; enlist(c);
}
static void simple(conn *c, const char *type, const char *b, size_t n) {
  char h[256]; put(c, h, sprintf(h, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, n)); put(c, b, n);
}
static int hdr(const char *h, size_t n, const char *name, const char **v, size_t *nv) {
  size_t ln = strlen(name); const char *p = h, *end = h + n;
  while (p < end) {
    const char *e = memchr(p, '\n', end - p); if (!e) e = end;
    if ((size_t)(e - p) > ln && p[ln] == ':' && !strncasecmp(p, name, ln)) {
      p += ln + 1; while (p < e && *p == ' ') p++;
      *v = p; *nv = e - p; while (*nv && ((*v)[*nv - 1] == '\r')) (*nv)--; return 1;
    }
    p = e + 1;
  }
  return 0;
}
static void handle(conn *c, size_t hl, const char *body, size_t nb, int post) {
  if (!post) {
    char b[256], line[64]; size_t nl = hl < sizeof line ? hl : sizeof line - 1;
    memcpy(line, c->in, nl); line[nl] = 0;
    if (!strncmp(c->in, "GET /__last", 11)) simple(c, "text/plain", last ? last : "", nlast);
    else if (sscanf(line, "GET /__pace?i=%d&n=%d", &interval_ms, &nchunks) == 2) simple(c, "text/plain", "ok", 2);
    else if (!strncmp(c->in, "GET /__stats", 12)) simple(c, "application/json", b, sprintf(b, "{\"requests\":%llu,\"streams\":%llu,\"chunks\":%llu,\"conns\":%llu,\"open\":%llu}",
       (unsigned long long)n_req, (unsigned long long)n_str, (unsigned long long)n_chk, (unsigned long long)n_conn, (unsigned long long)n_open));
    else { const char *m = "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-4o-mini\",\"object\":\"model\",\"created\":1,\"owned_by\":\"openai\"}]}"; simple(c, "application/json", m, strlen(m)); }
    return;
  }
  n_req++;
  if (hl + nb > clast) { clast = (hl + nb) * 2; last = realloc(last, clast); }
  memcpy(last, c->in, hl); memcpy(last + hl, body, nb); nlast = hl + nb;
  const char *p = memmem(body, nb, "\"stream\"", 8); int st = 0;
  if (p) { p += 8; const char *e = body + nb; while (p < e && (*p == ' ' || *p == ':')) p++; st = p < e && *p == 't'; }
  if (st) start_stream(c);
  else if (delay_ms) { c->plain_due = 1; c->due = now_us() + delay_ms * 1000u; enlist(c); }
  else put(c, resp, nresp);
}
static void parse(conn *c) {
  while (c->fd >= 0 && c->nin && !c->streaming && !c->plain_due) {
    char *e = memmem(c->in, c->nin, "\r\n\r\n", 4);
    if (!e) return;
    size_t hl = e + 4 - c->in, nv; const char *v; size_t nb = 0, used; const char *body = c->in + hl; char *tmp = NULL;
    int post = !strncmp(c->in, "POST", 4);
    if (hdr(c->in, hl, "connection", &v, &nv) && nv >= 5 && !strncasecmp(v, "close", 5)) c->closing = 1;
    if (hdr(c->in, hl, "transfer-encoding", &v, &nv) && nv >= 7 && !strncasecmp(v, "chunked", 7)) {
      size_t o = c->scan > hl ? c->scan : hl; int done = 0;
      while (o < c->nin) {
        char *q = memmem(c->in + o, c->nin - o, "\r\n", 2); if (!q) break;
        size_t sz = strtoul(c->in + o, NULL, 16), nx = (q + 2 - c->in) + sz + 2;
        if (nx > c->nin) break;
        o = nx; c->scan = o; if (!sz) { done = 1; break; }
      }
      if (!done) { if (!c->scan) c->scan = hl; return; }
      used = o; tmp = malloc(used); size_t r = hl;
      for (;;) { char *q = memmem(c->in + r, used - r, "\r\n", 2); size_t sz = strtoul(c->in + r, NULL, 16);
        if (!sz) break;
        memcpy(tmp + nb, q + 2, sz); nb += sz; r = (q + 2 - c->in) + sz + 2; }
      body = tmp; c->scan = 0;
    } else {
      if (hdr(c->in, hl, "content-length", &v, &nv)) nb = strtoul(v, NULL, 10);
      if (hl + nb > c->nin) {
        if (hl + nb > c->cin) { c->cin = hl + nb + 4096; c->in = realloc(c->in, c->cin); }
        if (c->scan == 0 && hdr(c->in, hl, "expect", &v, &nv)) { put(c, "HTTP/1.1 100 Continue\r\n\r\n", 25); c->scan = 1; }
        return;
      }
      used = hl + nb; c->scan = 0;
    }
    handle(c, hl, body, nb, post);
    free(tmp);
    memmove(c->in, c->in + used, c->nin - used); c->nin -= used;
  }
}
static void readable(conn *c) {
  for (;;) {
    if (c->cin - c->nin < 4096) { c->cin = c->cin ? c->cin * 2 : 16384; c->in = realloc(c->in, c->cin); }
    size_t room = c->cin - c->nin;
    ssize_t r = read(c->fd, c->in + c->nin, room);
    if (r == 0 || (r < 0 && errno != EAGAIN)) { drop(c); return; }
    if (r < 0) break;
    c->nin += r; if ((size_t)r < room) break;
  }
  parse(c); if (c->fd >= 0) flush_out(c);
}
static void tick(void) {
  uint64_t t = now_us();
  for (conn *c = timers.next, *nx; c != &timers; c = nx) {
    nx = c->next; if (c->due > t) continue;
    if (c->plain_due) { c->plain_due = 0; unlist(c); put(c, resp, nresp); parse(c); }
    else { stream_event(c, c->k++); c->due += c->pace_ms * 1000u; if (!c->streaming) parse(c); }
    if (c->fd >= 0) flush_out(c);
  }
}
static int timeout_ms(void) {
  if (timers.next == &timers) return -1;
  uint64_t t = now_us(), m = UINT64_MAX;
  for (conn *c = timers.next; c != &timers; c = c->next) if (c->due < m) m = c->due;
  return m <= t ? 0 : (int)((m - t) / 1000 + 1);
}
int main(int argc, char **argv) {
  int o; char *s;
  if ((s = getenv("VENDOR_INTERVAL_MS"))) interval_ms = atoi(s);
  if ((s = getenv("VENDOR_CHUNKS"))) nchunks = atoi(s);
  if ((s = getenv("VENDOR_DELAY_MS"))) delay_ms = atoi(s);
  while ((o = getopt(argc, argv, "i:n:d:")) != -1) { if (o == 'i') interval_ms = atoi(optarg); else if (o == 'n') nchunks = atoi(optarg); else if (o == 'd') delay_ms = atoi(optarg); }
  signal(SIGPIPE, SIG_IGN);
  nresp = sprintf(resp, "HTTP/1.1 200 OK\r\nServer: vendor\r\nContent-Type: application/json\r\nopenai-processing-ms: 1\r\nx-request-id: req_0123456789abcdef\r\nContent-Length: %zu\r\n\r\n%s", strlen(BODY), BODY);
  ep = epoll_create1(0);
  for (; optind < argc; optind++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1; struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[optind]))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK); setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (void *)&a, sizeof a) || listen(fd, 1024)) { perror("bind"); return 1; }
    conn *c = calloc(1, sizeof *c); c->fd = fd; c->listener = 1;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c}; epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
  }
  for (;;) {
    struct epoll_event ev[256]; int n = epoll_wait(ep, ev, 256, timeout_ms());
    for (int i = 0; i < n; i++) {
      conn *c = ev[i].data.ptr;
      if (c->listener) {
        int fd, one = 1;
        while ((fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); n_conn++; n_open++;
          conn *k = calloc(1, sizeof *k); k->fd = fd; struct epoll_event e = {.events = EPOLLIN, .data.ptr = k}; epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
        }
        continue;
      }
      if (c->fd < 0) continue;
      if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
      if (c->fd >= 0 && (ev[i].events & EPOLLOUT)) flush_out(c);
    }
    tick(); reap();
  }
}
