"""Names that nobody gave."""

import re
import socket

from proxy.fleet.naming import made_up_name, new_instance


def test_a_name_begins_with_the_host():
    assert re.fullmatch(re.escape(socket.gethostname()) + "-[0-9a-f]{4}", made_up_name())


def test_two_proxies_of_one_name_can_be_told_apart():
    one, other = new_instance(), new_instance()

    assert one != other
    assert re.fullmatch("[0-9a-f]{8}", one)
