import pytest

from proxy.control.act import Act
from proxy.control.checkout import check_out
from proxy.control.register import read_source, register
from proxy.errors import UnknownVersion, UnsavedChanges

TOOLS = [{"name": "find"}]
COMMENTED = b'# why\n[model]\nvendor = "openai"\nid = "gpt-4o"\n'


@pytest.fixture
def models(tmp_path):
    return tmp_path / "models"


async def _check_out(shop, models, reference, **options):
    return await check_out(shop.store, models, "shop", reference, **options)


async def test_a_version_becomes_files(shop, models):
    await shop.register("one", tools=TOOLS)

    report = await _check_out(shop, models, "v1")

    assert (models / "shop" / "system.md").read_text() == "one\n"
    assert report.json()["written"] == ["version.toml", "system.md", "tools.json"]


async def test_the_files_are_that_version(shop, models):
    (info,) = await shop.register("one", tools=TOOLS)

    await _check_out(shop, models, "v1")

    source = await read_source(models, "shop")
    again = await register(shop.store, source, Act("ada", "again"))
    assert (again.info.id, again.created) == (info.id, False)


async def test_files_that_say_the_same_keep_their_comments(shop, models):
    await shop.register("one", "two")
    folder = models / "shop"
    folder.mkdir(parents=True)
    (folder / "version.toml").write_bytes(COMMENTED)
    (folder / "system.md").write_bytes(b"two")

    report = await _check_out(shop, models, "v1")

    assert (folder / "version.toml").read_bytes() == COMMENTED
    assert report.written == ("system.md",)


async def test_the_order_of_keys_in_a_json_file_is_kept(shop, models):
    await shop.register("one", tools=TOOLS)
    folder = models / "shop"
    folder.mkdir(parents=True)
    (folder / "version.toml").write_bytes(COMMENTED)
    tools = b'[{"parameters": {"type": "object", "additionalProperties": true}, "name": "find"}]'
    (folder / "tools.json").write_bytes(tools)
    source = await read_source(models, "shop")
    await register(shop.store, source, Act("ada", "again"))
    await shop.register("two", tools=source.content.model_dump()["tools"])

    await _check_out(shop, models, "v3")

    assert (folder / "tools.json").read_bytes() == tools


async def test_files_that_the_version_does_not_have_are_removed(shop, models):
    await shop.register("one", tools=TOOLS)
    await shop.register("one")
    await _check_out(shop, models, "v1")
    (models / "shop" / "evals.toml").write_text("[gate]")

    report = await _check_out(shop, models, "v2")

    assert report.removed == ("tools.json",)
    assert sorted(path.name for path in (models / "shop").iterdir()) == [
        "evals.toml",
        "system.md",
        "version.toml",
    ]


@pytest.mark.parametrize("text", [b"three", b"{{undeclared}}"])
async def test_what_is_not_registered_is_not_overwritten(shop, models, text):
    await shop.register("one", "two")
    await _check_out(shop, models, "v1")
    (models / "shop" / "system.md").write_bytes(text)

    with pytest.raises(UnsavedChanges):
        await _check_out(shop, models, "v2")

    assert (models / "shop" / "system.md").read_bytes() == text


async def test_force_overwrites(shop, models):
    await shop.register("one")
    await _check_out(shop, models, "v1")
    (models / "shop" / "system.md").write_bytes(b"three")

    await _check_out(shop, models, "v1", force=True)

    assert (models / "shop" / "system.md").read_bytes() == b"one\n"


async def test_a_file_keeps_its_mode(shop, models):
    await shop.register("one", "two")
    await _check_out(shop, models, "v1")
    prompt = models / "shop" / "system.md"
    prompt.chmod(0o640)

    await _check_out(shop, models, "v2")

    assert prompt.stat().st_mode & 0o777 == 0o640


async def test_an_unknown_version_changes_no_file(shop, models):
    await shop.register("one")

    with pytest.raises(UnknownVersion):
        await _check_out(shop, models, "v2")

    assert not models.exists()
