"""`doctor` on other machines than this one: packages that lack, proxies, what cannot be read."""

import sys
from importlib import metadata

import pytest
from tests.cli.program import tickwire

from tickwire._version import __version__
from tickwire.cli import doctor
from tickwire.feed.plan.planning import load_whole
from tickwire.ring._block import Block
from tickwire.schema import TABLES


def test_packages_that_lack_are_named_with_what_installs_them(monkeypatch):
    def version(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", version)
    found = {finding.topic: finding for finding in doctor._versions()}
    assert found["tickwire"].fact == f"{__version__}, not installed as a package"
    assert found["tickwire"].advice == ""
    assert found["pyarrow"].fact == "missing"
    assert found["pyarrow"].advice == f"install it: {sys.executable} -m pip install pyarrow"


def test_without_uvloop_it_advises_it(monkeypatch):
    assert doctor._event_loop().fact == "uvloop"
    monkeypatch.setitem(sys.modules, "uvloop", None)
    finding = doctor._event_loop()
    assert (finding.fact, finding.advice.split(":")[0]) == ("asyncio", "install uvloop")


def test_what_cannot_be_read_is_unknown(monkeypatch, tmp_path):
    assert doctor._text(str(tmp_path / "nothing")) == ""
    (tmp_path / "binary").write_bytes(b"\xff")
    assert doctor._text(str(tmp_path / "binary")) == ""
    monkeypatch.setattr(doctor, "_text", lambda _path: "")
    assert doctor._cpu_model()
    assert doctor._clock().fact == "unknown"
    assert [finding.topic for finding in doctor._limits()] == ["open files"]


def test_proxies_are_named_without_their_passwords(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret-word@proxy.example:3128")
    monkeypatch.setenv("ALL_PROXY", "gopher://proxy.example:70")
    monkeypatch.setenv("NO_PROXY", "localhost,.example")
    done = tickwire("doctor")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    [secret] = [line for line in lines if line.endswith("(HTTPS_PROXY)")]
    assert "proxy.example:3128" in secret
    assert "secret-word" not in done.stdout
    assert any(line.endswith("localhost,.example (NO_PROXY)") for line in lines)
    [advice] = [line for line in lines if line.startswith("- proxy: ")]
    assert advice.startswith("- proxy: use one of http")


@pytest.mark.parametrize("proxy", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_without_a_scheme_is_http(monkeypatch, proxy):
    monkeypatch.setenv(proxy, "proxy.example:3128")
    [finding] = doctor._proxies()
    assert (finding.topic, finding.advice) == ("proxy", "")


CONFIG = """
[feed]
ring_rows = {rows}
{ring_dir}
[[source]]
venue = "hyperliquid"
channels = ["trades"]
symbols = ["BTC"]
"""


@pytest.mark.parametrize("ring_dir", [None, "rings/of/mine"])
def test_doctor_and_check_show_the_size_of_rings(tmp_path, ring_dir):
    where = "" if ring_dir is None else f'ring_dir = "{tmp_path / ring_dir}"'
    config = tmp_path / "feed.toml"
    config.write_text(CONFIG.format(rows=65536, ring_dir=where))
    done = tickwire("check", str(config))
    assert done.returncode == 0, done.stderr
    n_mib = memoryview(Block(TABLES["trades"], 65536, 0)).nbytes >> 20
    assert f"ring: 65,536 rows, {n_mib} MiB" in done.stdout
    shown = "memory" if ring_dir is None else str(tmp_path / ring_dir)
    [total] = [line for line in done.stdout.splitlines() if line.startswith("feed ")]
    assert f"rings in {shown}: " in total
    finding = doctor._rings(load_whole(config))
    assert finding.fact == f"{total.rpartition(': ')[2]} in {shown}"
    assert not finding.advice
    config.write_text(CONFIG.format(rows=1 << 34, ring_dir=where))
    assert "set ring_rows lower" in doctor._rings(load_whole(config)).advice
    assert not (tmp_path / "rings").exists()
