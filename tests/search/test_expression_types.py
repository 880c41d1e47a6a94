from vmon.search.expression_types import ITEM, field_kinds, field_tree


def test_the_known_fields_are_those_of_all_types_without_our_own() -> None:
    fields = field_tree()
    assert {"stream", "call", "broadcastUrls", "reason", "status"} <= fields.keys()
    assert {"videoType", "connection"} <= fields["stream"].keys()
    assert "data" in fields["connection"]
    assert "hlsStatus" in fields["broadcastUrls"]
    assert not [name for name in fields if ":" in name]


def test_a_field_has_the_kinds_that_it_has_in_any_type() -> None:
    kinds = field_kinds()
    assert kinds["stream", "videoType"] == {"string"}
    assert kinds["projectId",] == {"string", "int"}
    assert kinds["duration",] == {"int", "double"}
    assert kinds["streams",] == {"list"}
    assert kinds["streams", ITEM, "hasVideo"] == {"bool"}


def test_what_stands_in_a_dictionary_may_have_any_name() -> None:
    assert field_kinds()["settings",] == {"dict"}
    assert field_tree()["settings"] == {}
