from vmon.cli.signing_options import signer_from


def test_without_the_option_nothing_signs() -> None:
    assert signer_from(None, None) is None
    assert signer_from("s3cret", "key") is not None
