"""What a vendor would be sent by this proxy, without sending it: for drills. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from proxy.dialects.base import NAME, path_for
from proxy.dialects.registry import DIALECTS
from proxy.dialects.samples import conversation, sample_values, sayable
from proxy.errors import RequestError
from proxy.fleet.snapshot import Served
from proxy.versions.question import FAILED, Probe, Probed, Sample


def probed(served: Served, probe: Probe, spoken: Iterable[str]) -> Probed:
    """Compose the samples of `probe` with `served`, in the dialect that it names, else in those
    that are `spoken`. The same version and samples give the same bodies at every proxy of one
    release."""
    names = [probe.dialect] if probe.dialect else sorted(spoken)
    bodies = {
        name: tuple(_body(served, name, probe.model, sample) for sample in probe.samples)
        for name in names
    }
    return Probed(served.id, served.version.info.digest, bodies)


def _body(served: Served, dialect: str, model: str, sample: Sample) -> str:
    """Return the SHA-256 of what would be sent, in hex, or `error:` and the code of why not. The
    path is part of that where it has the vendor's model."""
    values = sample_values(served.content.variables, sample.variables)
    try:
        compiled, spoken = served.compiled(dialect), DIALECTS[dialect]
        said = sayable(served.content, sample.messages)
        asked = conversation(spoken, model, said, values)
        target = served.targets[0]
        pieces = compiled.compose(asked).body(target.model_json)
        if NAME in spoken.path:
            path = path_for(spoken, model).encode()
            pieces = [spoken.upstream_path(path, target.model), *pieces]
    except RequestError as error:
        return FAILED + error.code
    return hashlib.sha256(b"".join(pieces)).hexdigest()
