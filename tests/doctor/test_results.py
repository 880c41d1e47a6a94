from __future__ import annotations

from vmon.config import HOST, PORT
from vmon.doctor.results import DoctorOptions


def test_doctor_checks_the_port_of_listen() -> None:
    assert (DoctorOptions().host, DoctorOptions().port) == (HOST, PORT)


def test_the_authtoken_is_in_no_representation() -> None:
    options = DoctorOptions(token=("s3cret", "./vmon.toml"))
    assert "s3cret" not in f"{options} {options!r}"
