"""Networks and addresses that users may choose, and those that no container can have."""

import pytest

from services.common.core.errors import InvalidError
from services.inventory.domain.entities import Network
from services.inventory.domain.user_networks import (
    NetworkRequest,
    UserNetwork,
    choose_network,
    list_allowed,
    parse_networks,
)

DEFAULT = Network()
LAB = UserNetwork(bridge="vmbr1", vlan=20, subnet="10.20.0.0/24", gateway="10.20.0.1")
LAB_V6 = UserNetwork(bridge="vmbr1", vlan=20, subnet="2001:db8:20::/64", gateway="2001:db8:20::1")
OPEN = UserNetwork(bridge="vmbr0", vlan=30)
OTHERS = (LAB, LAB_V6, OPEN)
IMPOSSIBLE = [
    "10.0.0.0/24",
    "10.0.0.255/24",
    "10.0.0.1/24",
    "10.20.0.1/24",
    "10.0.0.255/16",
    "8.8.8.8/24",
    "224.0.0.1/24",
    "0.0.0.0/0",
    "0.1.2.3/24",
    "255.255.255.255/32",
    "240.0.0.1/8",
    "127.0.0.1/8",
    "127.9.9.9/24",
    "169.254.169.254/32",
    "::/0",
    "::1/128",
    "fe80::1/64",
    "ff02::1/64",
    "::ffff:127.0.0.1/128",
    "::ffff:10.0.0.7/128",
    "2001:db8:20::/64",
    "2001:db8:20::1/64",
    "nonsense",
    "10.0.0.300/24",
]


@pytest.mark.parametrize("cidr", IMPOSSIBLE)
@pytest.mark.parametrize("is_restricted", [True, False])
def test_impossible_addresses_are_refused_for_everybody(cidr: str, *, is_restricted: bool) -> None:
    with pytest.raises(InvalidError) as refused:
        choose_network(DEFAULT, OTHERS, request=NetworkRequest(cidr=cidr, is_restricted=is_restricted))
    assert [one.field for one in refused.value.violations] == ["network_cidr"]


@pytest.mark.parametrize(
    ("field", "wish"),
    [
        ("config.vlan", NetworkRequest(vlan=4094)),
        ("config.vlan", NetworkRequest(bridge="vmbr1")),
        ("config.bridge", NetworkRequest(bridge="vmbr9")),
        ("network_cidr", NetworkRequest(cidr="10.0.1.7/24")),
        ("network_cidr", NetworkRequest(cidr="10.0.0.7/16")),
        ("network_cidr", NetworkRequest(cidr="10.0.0.7/25")),
        ("network_cidr", NetworkRequest(cidr="10.20.0.7/24")),
        ("network_cidr", NetworkRequest(cidr="2001:db8::7/64")),
        ("network_cidr", NetworkRequest(vlan=30, cidr="10.0.0.7/24")),
        ("config.network", NetworkRequest(vlan=30, cidr="static")),
    ],
)
def test_what_is_not_for_users_administrators_may_choose(field: str, wish: NetworkRequest) -> None:
    with pytest.raises(InvalidError) as refused:
        choose_network(DEFAULT, OTHERS, request=wish)
    assert [one.field for one in refused.value.violations] == [field]
    free = NetworkRequest(bridge=wish.bridge, vlan=wish.vlan, cidr=wish.cidr, is_restricted=False)
    chosen = choose_network(DEFAULT, OTHERS, request=free)
    assert (chosen.bridge, chosen.vlan) == (wish.bridge or "vmbr0", wish.vlan)


@pytest.mark.parametrize(
    ("wish", "network"),
    [
        (NetworkRequest(), list_allowed(DEFAULT, ())[0]),
        (NetworkRequest(cidr="dhcp"), list_allowed(DEFAULT, ())[0]),
        (NetworkRequest(cidr="10.0.0.7/24"), list_allowed(DEFAULT, ())[0]),
        (NetworkRequest(bridge="vmbr1", vlan=20, cidr="10.20.0.7/24"), LAB),
        (NetworkRequest(bridge="vmbr1", vlan=20, cidr="2001:db8:20::7/64"), LAB_V6),
        (NetworkRequest(bridge="vmbr1", vlan=20, cidr="static"), LAB),
        (NetworkRequest(vlan=30), OPEN),
    ],
)
def test_users_choose_among_the_networks_that_are_allowed(wish: NetworkRequest, network: UserNetwork) -> None:
    assert choose_network(DEFAULT, OTHERS, request=wish) == network


def test_only_the_default_network_is_allowed_unless_an_administrator_says_so() -> None:
    [network] = list_allowed(DEFAULT, ())
    assert network == UserNetwork(bridge="vmbr0", subnet="10.0.0.0/24", gateway="10.0.0.1")


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({}, "bridge"),
        ({"bridge": "vmbr0,tag=7"}, "bridge"),
        ({"bridge": 5}, "bridge"),
        ({"bridge": "vmbr0", "vlan": 0}, "vlan"),
        ({"bridge": "vmbr0", "vlan": 4095}, "vlan"),
        ({"bridge": "vmbr0", "vlan": 1.5}, "vlan"),
        ({"bridge": "vmbr0", "vlan": True}, "vlan"),
        ({"bridge": "vmbr0", "subnet": "10.0.0.7/24"}, "subnet"),
        ({"bridge": "vmbr0", "subnet": "127.0.0.0/8"}, "subnet"),
        ({"bridge": "vmbr0", "subnet": "169.254.0.0/16"}, "subnet"),
        ({"bridge": "vmbr0", "subnet": "224.0.0.0/4"}, "subnet"),
        ({"bridge": "vmbr0", "gateway": "10.0.0.1"}, "gateway"),
        ({"bridge": "vmbr0", "subnet": "10.9.0.0/24", "gateway": "10.0.0.1"}, "gateway"),
        ({"bridge": "vmbr0", "colour": "red"}, "colour"),
    ],
)
def test_a_network_that_is_none_is_refused_by_the_name_of_its_field(
    row: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        list(parse_networks([{"bridge": "vmbr7"}, row]))
    assert [one.field for one in refused.value.violations] == [f"user_networks[1].{field}"]


def test_networks_are_read_from_a_request() -> None:
    rows = [
        {"bridge": "vmbr1", "vlan": 20.0, "subnet": "10.20.0.0/24", "gateway": "10.20.0.1"},
        {"bridge": "b"},
    ]
    assert list(parse_networks(rows)) == [LAB, UserNetwork(bridge="b")]
