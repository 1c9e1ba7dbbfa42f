"""A walk below a folder finds each image, and ends whatever links lie in its way."""

from cxrgrid.data import walk


def test_two_links_across_are_not_followed_round(tmp_path):
    """Each of two folders has a link to the other: their images have two names each, not 40."""
    for one, other in ("ab", "ba"):
        (tmp_path / one).mkdir()
        (tmp_path / one / f"{one}.png").touch()
        (tmp_path / one / "link").symlink_to(tmp_path / other)
    found = walk.images(tmp_path)
    names = ["a/a.png", "a/link/b.png", "b/b.png", "b/link/a.png"]
    assert found.images == names
    assert found.left_out == {"links to a folder above": 2}
    tree = [f"{folder}/{name}" for folder, _, names in walk.tree(tmp_path) for name in names]
    assert sorted(tree) == [f"{tmp_path}/{name}" for name in names]


def test_links_to_elsewhere_and_links_in_a_row_are_followed(tmp_path):
    (tmp_path / "disk/films").mkdir(parents=True)
    (tmp_path / "disk/films/x.png").touch()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "disk")
    assert walk.images(tmp_path / "root").images == ["one/films/x.png"]
    assert [names for _, _, names in walk.tree(tmp_path / "root")] == [[], [], ["x.png"]]
