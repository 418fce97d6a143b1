"""Fuzz campaigns: ``python -m tests.fuzz.run --seconds 600 [--target message]``.

Coverage-guided by atheris where it is installed; elsewhere the same harnesses are fed by a seeded
mutation loop of our own.  Stops at the first failure with the input as a Python literal, exit 1.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

Check = Callable[[bytes], None]
ROOT = Path(__file__).parents[2]
MAX_INPUT = 4096
NAMES = ["message", "stream", "digest", "uri", "body", "sdp", "stack"]


def targets() -> dict[str, tuple[Check, list[bytes]]]:
    """By name: the harness and its seeds.  Imported late, so that atheris sees the imports."""
    from tests.fuzz import sdp, sip, stack  # noqa: PLC0415
    from tests.sip import corpus  # noqa: PLC0415

    messages = [*corpus.RIGHT.values(), *corpus.RESPONSES.values(), *(wrong.data for wrong in corpus.WRONG)]
    messages = [data for data in messages if len(data) <= MAX_INPUT]
    auth = [
        b'Digest realm="edge", nonce="AAAA", opaque="1", algorithm=SHA-256, qop="auth", stale=true',
        b'Digest username="bob", realm="edge", nonce="AAAA", uri="sip:a@b.test", response="00", '
        b"algorithm=MD5, qop=auth, cnonce=\"c\", nc=00000001",
    ]  # fmt: skip
    uris = [b"sip:a;b=c:pw@[2001:db8::1]:5070;lr;x=%41?Route=%3Csip:b%3E", b"tel:+1-800;phone-context=+1"]
    return {
        "message": (sip.check_message, messages),
        "stream": (sip.check_stream, [b"\x07" + data for data in messages]),
        "digest": (sip.check_digest, auth),
        "uri": (sip.check_uri, uris),
        "body": (sip.check_body, corpus.MULTIPARTS),
        "sdp": (sdp.check, [corpus.BODY]),
        "stack": (stack.check, stack.seeds()),
    }


def mutate(data: bytes, seeds: list[bytes], chance: random.Random) -> bytes:
    """``data`` with one to four small changes: cut, repeat, splice, overwrite, insert."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randrange(len(out) + 1) for _ in range(2))
        to = min(to, at + 40)
        match chance.randrange(5):
            case 0:
                del out[at:to]
            case 1:
                out[at:at] = out[at:to] * chance.randint(1, 20)
            case 2:
                other = chance.choice(seeds)
                start = chance.randrange(len(other) + 1)
                out[at:to] = other[start : start + 40]
            case 3:
                out[at:to] = chance.randbytes(to - at)
            case _:
                out[at:at] = chance.choice(
                    [b"\r\n", b";", b",", b'"', b"<", b">", b"%00", b" ", b"\x00", b"\xff", b"="]
                )
    return bytes(out[:MAX_INPUT])


def loop(check: Check, seeds: list[bytes], seconds: float, seed: int) -> int:
    """The plain mutation loop; answers how many inputs were tried."""
    chance = random.Random(seed)
    pool = list(seeds)
    tried = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutate(chance.choice(pool), seeds, chance)
        try:
            check(data)
        except BaseException:
            sys.stderr.write(f"failing input (seed {seed}, number {tried}): {data!r}\n")
            raise
        tried += 1
        if chance.random() < 0.01:
            pool[len(seeds) :] = [*pool[len(seeds) :][-200:], data]
    return tried


def guided(name: str, seconds: int, corpus: Path) -> None:
    """One target under atheris; libFuzzer ends the process itself."""
    import atheris  # noqa: PLC0415

    with atheris.instrument_imports(include=["edge.sip", "edge.media"]):
        check, seeds = targets()[name]

    def one(data: bytes) -> None:
        try:
            check(data)
        except BaseException:
            sys.stderr.write(f"failing input: {data!r}\n")
            raise

    for at, data in enumerate(seeds):
        (corpus / f"seed-{at}").write_bytes(data)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_INPUT}",
        f"-artifact_prefix={corpus}/",
        "-timeout=5",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def run_guided(name: str, seconds: int, corpus: Path) -> bool:
    """One target under atheris in a process of its own; False, and its last words, if it failed."""
    command = [sys.executable, "-m", "tests.fuzz.run", "--seconds", str(seconds), "--corpus", str(corpus)]
    done = subprocess.run(
        [*command, "--guided", name],
        cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=seconds + 60, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.stderr.write(done.stderr[-20_000:])
        return False
    print(f"{name}: " + next((line for line in done.stderr.splitlines() if line.startswith("Done ")), "done"))
    return True


def run_plain(name: str, seconds: int, seed: int) -> bool:
    """One target in the mutation loop; a failure is an exception."""
    print(f"{name}: {loop(*targets()[name], seconds, seed)} inputs in {seconds} s")
    return True


def arguments() -> argparse.Namespace:
    """The command line."""
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--seconds", type=int, default=20, help="for all targets together")
    parse.add_argument("--target", choices=NAMES, action="append", help="default: all")
    parse.add_argument("--seed", type=int, default=1, help="of the mutation loop")
    parse.add_argument(
        "--plain", action="store_true", help="the mutation loop even where atheris is installed"
    )
    parse.add_argument("--corpus", type=Path, help="keep what atheris finds here, and start from it")
    parse.add_argument("--guided", choices=NAMES, help=argparse.SUPPRESS)
    return parse.parse_args()


def main() -> int:
    """Runs each target for its share of the seconds."""
    args = arguments()
    if args.guided:
        guided(args.guided, args.seconds, args.corpus)
    chosen = args.target or NAMES
    share = max(1, args.seconds // len(chosen))
    if args.plain or find_spec("atheris") is None:
        return 0 if all(run_plain(name, share, args.seed) for name in chosen) else 1
    with tempfile.TemporaryDirectory(prefix="edge-fuzz-") as scratch:
        for name in chosen:
            corpus = (args.corpus or Path(scratch)) / name
            corpus.mkdir(parents=True, exist_ok=True)
            if not run_guided(name, share, corpus):
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
