"""A home that is moved, and a warehouse that older clients open."""

import struct

from tests.pipeline.conftest import MakeSite
from tests.pipeline.site import Site, day


def manifests(site: Site) -> dict[str, bytes]:
    """What every partition says that it consists of."""
    root = site.home / "lake"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.glob(".builds/**/current.json")}


def test_a_moved_home_works_again_once_published(make_site: MakeSite) -> None:
    """Paths that cling to the old place would cost a rebuild, or break queries long after the move."""
    site = make_site()
    site.fill(2)
    before, built = site.tables(), manifests(site)
    moved = Site(site.home.parent / "elsewhere" / "renamed home's", site.servers)
    moved.home.parent.mkdir()
    site.home.rename(moved.home)
    moved.configure()
    done = moved.run("publish")
    assert done.returncode == 0, done.stderr
    assert str(moved.home) in done.stdout.replace("\n", "")
    assert moved.tables() == before
    assert manifests(moved) == built
    engine = moved.engine
    for model in engine.models.values():
        for at in [day(0), day(1)] if model.kind == "day" else []:
            assert engine.builder.is_current(model, at), model.table
    assert {o.result for o in moved.build([day(0), day(1)])} == {"current"}


def test_the_warehouse_is_written_for_clients_of_duckdb_1(make_site: MakeSite) -> None:
    """A file in the newest storage version would not open for those who did not upgrade yet."""
    site = make_site()
    site.capture(site.server.clock.now(), [day(0)])
    site.build([day(0)])
    header = (site.home / "warehouse.duckdb").read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert struct.unpack("<Q", header[12:20]) == (64,)


def test_any_number_of_publications_leave_one_file(make_site: MakeSite) -> None:
    """Leftovers of publishing beside the warehouse would fill the disk and confuse people."""
    site = make_site()
    site.fill(1)
    for _ in range(3):
        site.engine.warehouse.publish()
    assert sorted(path.name for path in site.home.iterdir()) == ["lake", "warehouse.duckdb"]
    assert not [path for path in (site.home / "lake" / ".tmp").iterdir() if path.name != "duckdb"]
