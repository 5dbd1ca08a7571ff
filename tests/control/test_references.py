import pytest

from proxy.control.references import find
from proxy.errors import InvalidArgument, UnknownModelNamed, UnknownVersion, VersionCorrupt
from tests.control.shop import corrupt


@pytest.mark.parametrize("form", ["v2", "v2-{hex}", "shop-v2-{hex}", "v2-{long}", "prod"])
async def test_every_way_to_name_a_version_finds_it(shop, form):
    _, second = await shop.register("one", "two")
    await shop.pin("v2")
    digits = second.digest.removeprefix("sha256:")

    found = await find(shop.store, "shop", form.format(hex=digits[:6], long=digits))

    assert found.info == second
    assert found.content.system == "two"


@pytest.mark.parametrize("reference", ["v3", "v1-000000", "shop-v1-000000", "staging"])
async def test_what_is_not_there_is_unknown(shop, reference):
    await shop.register("one")

    with pytest.raises(UnknownVersion):
        await find(shop.store, "shop", reference)


@pytest.mark.parametrize("reference", ["", "V1", "v0", "other-v1-000000", "v1\n", "a b"])
async def test_what_is_no_reference_is_refused(shop, reference):
    await shop.register("one")

    with pytest.raises(InvalidArgument):
        await find(shop.store, "shop", reference)


async def test_an_unknown_model_is_told_with_what_was_meant(shop):
    await shop.register("one")

    with pytest.raises(UnknownModelNamed) as caught:
        await find(shop.store, "shpo", "v1")

    assert caught.value.hint == "did you mean shop?"


@pytest.mark.parametrize("name", ["Shop", "shop_1", "", "s" * 64, "../shop"])
async def test_what_is_no_name_of_a_model_is_refused_with_what_one_looks_like(shop, name):
    with pytest.raises(InvalidArgument, match="not a valid model name") as caught:
        await find(shop.store, name, "v1")

    assert caught.value.hint.startswith("1 to 63 lower-case letters, digits and hyphens")


async def test_a_version_whose_bytes_were_changed_is_not_used(shop, tmp_path):
    await shop.register("one")
    corrupt(tmp_path / "store.db", b"one", b"two")

    with pytest.raises(VersionCorrupt, match="shop-v1-"):
        await find(shop.store, "shop", "v1")
