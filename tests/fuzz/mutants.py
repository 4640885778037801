"""Faults to be planted: what each is, where it goes, and who should find it.

A fault is one replacement in one file. `find` must stand in the file exactly once, so that an edit
that moves or changes the place makes planting fail loudly, and not pass without a fault in place.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.fuzz.mutants_of_books import KNOWN_LEVELS, SHARED_COLUMNS

PARSER = "ext/tickwire/wire/_parser.pyx"
RULES = "ext/tickwire/wire/_rules.pxd"
STREAMED = "ext/tickwire/wire/_streamed.pyx"
ASSEMBLY = "ext/tickwire/wire/_assembly.pyx"
CONTROL = "ext/tickwire/wire/_control.pyx"
INFLATE = "ext/tickwire/wire/_inflate.pyx"
RECEIVER = "ext/tickwire/net/_receiver.pyx"
VALUES = "ext/tickwire/decode/_values.pyx"
SCRIPT = "ext/tickwire/decode/_script.pyx"
SEEN = "ext/tickwire/decode/_seen.pyx"
STEPS = "ext/tickwire/decode/_steps.pyx"
PERFORM = "ext/tickwire/decode/_runner.pyx"
ROUTING = "ext/tickwire/decode/_routing.pyx"
WALK = "ext/tickwire/decode/_walk.pyx"
RING = "ext/tickwire/ring/_ring.pyx"
MARKS = "ext/tickwire/ring/_watermarks.pyx"
GATES = "ext/tickwire/ring/_gates.pyx"
HEADERS = "ext/tickwire/decode"
HANDSHAKE = "src/tickwire/wire/handshake.py"
COMPRESSION = "src/tickwire/wire/compression.py"
READER = "src/tickwire/capture/reader.py"
LINES = "src/tickwire/capture/lines.py"

FRAME_TESTS = (
    "tests/wire/test_parser.py",
    "tests/wire/test_streamed.py",
    "tests/wire/test_hostile_frames.py",
)
DEFLATE_TESTS = ("tests/wire/test_inflate.py", "tests/wire/test_compressed_frames.py")
VALUE_TESTS = ("tests/decode/test_values.py",)
STEP_TESTS = (
    "tests/decode/test_steps.py",
    "tests/decode/test_walk.py",
    "tests/decode/test_hostile.py",
)
SEEN_TESTS = ("tests/decode/test_seen.py",)
ONCE_TESTS = ("tests/decode/test_deduplicate.py",)
SCRIPT_TESTS = ("tests/decode/test_script.py", "tests/decode/test_script_bounds.py")
PERFORM_TESTS = ("tests/decode/test_runner.py",)
RING_TESTS = ("tests/ring/test_watermarks.py", "tests/ring/test_consumer.py")
HANDSHAKE_TESTS = ("tests/wire/test_handshake.py",)
COMPRESSION_TESTS = ("tests/wire/test_compression.py",)
CAPTURE_TESTS = ("tests/capture/test_reader.py",)


class Mutant(NamedTuple):
    """A fault to be planted.

    Parameters
    ----------
    name
        What is wrong.
    file, find, replace
        Where, and how.
    modules
        The compiled modules that have it inside, as room and stem; none for Python.
    tests
        The test files that should find it.
    target
        The fuzz target that should find it.
    """

    name: str
    file: str
    find: str
    replace: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    target: str


def frames(name: str, file: str, find: str, replace: str, target: str = "frames") -> Mutant:
    """Make a fault of the frame parser."""
    return Mutant(name, file, find, replace, ("wire._parser",), FRAME_TESTS, target)


def module(
    name: str, file: str, find: str, replace: str, tests: tuple[str, ...], target: str
) -> Mutant:
    """Make a fault of a compiled module."""
    room, stem = file.removesuffix(".pyx").split("/")[-2:]
    return Mutant(name, file, find, replace, (f"{room}.{stem}",), tests, target)


def scalar(name: str, header: str, find: str, replace: str, target: str = "numbers") -> Mutant:
    """Make a fault of a header that reads scalars."""
    file = f"{HEADERS}/{header}"
    return Mutant(name, file, find, replace, ("decode._values",), VALUE_TESTS, target)


def step(
    name: str, header: str, find: str, replace: str, tests: tuple[str, ...] = STEP_TESTS
) -> Mutant:
    """Make a fault of the kernels that templates and scripts run."""
    file = f"{HEADERS}/{header}"
    # What the kernels are inlined into.
    modules = ("decode._seen", "decode._steps", "decode._template", "decode._walk")
    return Mutant(name, file, find, replace, modules, tests, "venues")


def python(
    name: str, file: str, find: str, replace: str, tests: tuple[str, ...], target: str
) -> Mutant:
    """Make a fault of a Python module."""
    return Mutant(name, file, find, replace, (), tests, target)


MUTANTS = (
    # Frames: lengths, bounds, masks, order.
    frames(
        "a length of 2^63 and more is not told from one that is too big",
        PARSER,
        "            if length >> 63:\n",
        "            if False and length >> 63:\n",
    ),
    frames(
        "the shortest form of a length is off by one",
        PARSER,
        "length <= (125 if header == 4 else 0xFFFF)",
        "length < (125 if header == 4 else 0xFFFF)",
    ),
    frames(
        "the largest frame is off by one",
        PARSER,
        "if length > self.max_frame:",
        "if length >= self.max_frame:",
    ),
    frames(
        "what came of a message is not counted against its limit",
        PARSER,
        "length > self.max_message - self.streamed.assembly.size:",
        "length > self.max_message:",
    ),
    module(
        "the mask begins anew with each piece of a frame",
        STREAMED,
        "tw_mask(placed, n, self.frame_key, self.frame_seen)",
        "tw_mask(placed, n, self.frame_key, 0)",
        FRAME_TESTS,
        "frames",
    ),
    frames(
        "a refused message is unmasked twice",
        PARSER,
        "        if second & MASK and not self.prepared:\n",
        "        if second & MASK:\n",
    ),
    frames(
        "a frame is read one byte before it is whole",
        PARSER,
        "if n < header + <size_t> length:",
        "if n + 1 < header + <size_t> length:",
    ),
    module(
        "text may end in the middle of a character",
        STREAMED,
        "return Fault.TEXT_NOT_UTF8 if self.utf8.need else Fault.NO_FAULT",
        "return Fault.NO_FAULT",
        FRAME_TESTS,
        "frames",
    ),
    frames(
        "frames are read on after a close",
        PARSER,
        "if used == 0 or self.halted or self.closed:",
        "if used == 0 or self.halted:",
    ),
    frames(
        "the fast loop takes a masked frame for a long one",
        PARSER,
        "if data[pos + 1] != 126 or length < 126:",
        "if data[pos + 1] == 127 or length < 126:",
    ),
    frames(
        "the fast loop takes text without looking at it",
        PARSER,
        "tw_ascii_prefix(data + pos + header, length) != length and not is_text(",
        "False and not is_text(",
    ),
    frames(
        "a control frame may be fragmented",
        RULES,
        "        if not first & FIN:\n",
        "        if False and not first & FIN:\n",
    ),
    frames(
        "a control frame may have 126 bytes",
        RULES,
        "(second & 0x7F) > 125",
        "(second & 0x7F) > 126",
    ),
    frames(
        "a server may mask",
        RULES,
        "    elif second & MASK:\n        return Fault.MASKED_FROM_SERVER",
        "    elif False:\n        return Fault.MASKED_FROM_SERVER",
    ),
    frames(
        "the key of a mask is not turned",
        "ext/tickwire/wire/mask.h",
        "turned[k] = key[(offset + k) & 3];",
        "turned[k] = key[k & 3];",
    ),
    frames(
        "the mask is laid over a byte too many",
        "ext/tickwire/wire/mask.h",
        "for (; i + 8 <= n; i += 8) {",
        "for (; i + 7 <= n; i += 8) {",
    ),
    # UTF-8.
    frames(
        "overlong forms of three bytes are taken",
        "ext/tickwire/base/utf8.h",
        "low = 0xA0; /* below: overlong */",
        "low = 0x80;",
    ),
    frames(
        "surrogates are taken",
        "ext/tickwire/base/utf8.h",
        "high = 0x9F; /* above: surrogates */",
        "high = 0xBF;",
    ),
    frames(
        "the state between two pieces of a text forgets a bound",
        "ext/tickwire/base/utf8.h",
        "    state->low = low;\n",
        "    state->low = 0x80;\n",
    ),
    # Buffers.
    module(
        "a buffer grows to one byte less than it must hold",
        ASSEMBLY,
        "        while capacity < least:\n",
        "        while capacity + 1 < least:\n",
        ("tests/wire/test_assembly.py", *FRAME_TESTS),
        "compressed",
    ),
    module(
        "a ping more is kept than there are slots",
        CONTROL,
        "if self.n_waiting_pings < PING_SLOTS:",
        "if self.n_waiting_pings <= PING_SLOTS:",
        ("tests/wire/test_control.py",),
        "receiver",
    ),
    module(
        "what has been parsed is counted into what is left",
        RECEIVER,
        "        self.head += <size_t>n_taken\n",
        "        self.head += <size_t>n_taken - (n_taken > 1)\n",
        ("tests/net/test_receiver.py",),
        "receiver",
    ),
    # Compression.
    module(
        "a message may be one byte above the limit",
        INFLATE,
        "            if self.output.size > self.limit:\n",
        "            if self.output.size > self.limit + 1:\n",
        DEFLATE_TESTS,
        "inflate",
    ),
    module(
        "a message that stops in the middle of a byte is taken",
        INFLATE,
        "            or self.stream.data_type & Z_UNUSED_BITS\n",
        "",
        DEFLATE_TESTS,
        "inflate",
    ),
    module(
        "the context is kept although none was agreed on",
        INFLATE,
        "            self.zlib.inflate_reset(&self.stream)\n",
        "            self.zlib.inflate_reset_keep(&self.stream)\n",
        DEFLATE_TESTS,
        "inflate",
    ),
    module(
        "a second member of gzip is not begun anew",
        INFLATE,
        "                    self.zlib.inflate_reset(stream)\n",
        "                    self.zlib.inflate_reset_keep(stream)\n",
        DEFLATE_TESTS,
        "inflate",
    ),
    # Numbers, times, strings.
    scalar(
        "numbers may begin with zeros",
        "decimal.h",
        "if (n_whole == 0 || (n_whole > 1 && *first == '0')) return NULL;",
        "if (n_whole == 0) return NULL;",
    ),
    scalar(
        "eight digits are read where seven bytes are left",
        "decimal.h",
        "while (end - p >= 8) {",
        "while (end - p >= 7) {",
    ),
    scalar(
        "halfway between two floats goes up",
        "decimal.h",
        "m &= ~1ULL;",
        "m &= ~0ULL;",
    ),
    scalar(
        "twenty digits are kept of a long number",
        "decimal.h",
        "        if (kept < 19) {\n",
        "        if (kept < 20) {\n",
    ),
    scalar(
        "each fourth year is a leap year",
        "timestamp.h",
        "(year % 4 == 0 && year % 100 != 0) || year % 400 == 0",
        "year % 4 == 0",
    ),
    scalar(
        "a count of units may overflow",
        "timestamp.h",
        "if (__builtin_mul_overflow(count, unit_ns, &total)) return NULL;",
        "total = (int64_t)((uint64_t)count * (uint64_t)unit_ns);",
    ),
    scalar(
        "one bracket more is followed than there is room for",
        "json.h",
        "if (depth == TW_JSON_DEPTH) return NULL;",
        "if (depth > TW_JSON_DEPTH) return NULL;",
        "strings",
    ),
    scalar(
        "an escape is read where five bytes are left",
        "json.h",
        "if (end - p < 6) return NULL;",
        "if (end - p < 5) return NULL;",
        "strings",
    ),
    scalar(
        "a bracket may close one of the other kind",
        "json.h",
        "if (object != (c == '}')) return NULL;",
        "(void)object;",
        "strings",
    ),
    module(
        "a high surrogate may follow another",
        VALUES,
        "            if low < 0xDC00 or low >= 0xE000:\n",
        "            if low < 0xD800 or low >= 0xE000:\n",
        VALUE_TESTS,
        "strings",
    ),
    step(
        "templates take decimals that begin with zeros",
        "digits.h",
        "(whole) > 1 ? 1000000000000000 : 0,",
        "(whole) > 15 ? 1000000000000000 : 0,",
    ),
    step(
        "an integer that goes on behind its sixteenth digit ends there",
        "step.h",
        " || tw_is_digit(c); }",
        "; }",
    ),
    step(
        "templates take integers with zeros in front",
        "digits.h",
        "UINT64_MAX, 0, 10, 100,",
        "UINT64_MAX, 0, 0, 100,",
    ),
    step(
        "templates take decimals that end with their dot",
        "digits.h",
        "(n) >= (whole) + 2)",
        "(n) > (whole))",
    ),
    step(
        "levels of books take decimals with two dots",
        "digits.h",
        "(_blsr_u64(others) != 0 || p[n_whole] != '.')",
        "p[n_whole] != '.'",
    ),
    step(
        "a number that goes on behind what was read ends there",
        "steps_loop.inc",
        "    step--;\n    p = tw_number_before(p);\n    goto rule;",
        "    p = tw_number_before(p);\n    goto rule;",
    ),
    step(
        "the levels of a book need no comma between them",
        "level_cache.h",
        "joint->mask = (uint32_t)((1ULL << joint->n) - 1);",
        "joint->mask = (uint32_t)((1ULL << joint->n) - 1) & ~(1U << n_a);",
    ),
    *(step(*each) for each in (*KNOWN_LEVELS, *SHARED_COLUMNS)),
    # Scripts, and the memory of ids that they ask.
    step(
        "a script ends before the message does",
        "steps_loop.inc",
        "if (!is_script || p == end) run->stop = TW_STOP_END;",
        "run->stop = TW_STOP_END;",
        SCRIPT_TESTS,
    ),
    step(
        "a row that nobody wants is counted",
        "steps_loop.inc",
        "run->kept_back |= place->bit;\n",
        "run->kept_back |= place->bit, *place->head = ++row;\n",
        SCRIPT_TESTS,
    ),
    step(
        "a list has one row more than the ring takes",
        "steps_loop.inc",
        "if (*p == ',') {\n            if (row >= run->last) goto out;",
        "if (*p == ',') {\n            if (row > run->last) goto out;",
        SCRIPT_TESTS,
    ),
    step(
        "a symbol that nobody named is taken",
        "row_loop.h",
        "(symbol >= place->n_allowed || !place->allowed[symbol])",
        "symbol >= place->n_allowed",
        SCRIPT_TESTS,
    ),
    step(
        "the labels of a connection are not looked at",
        "row_loop.h",
        "if (__builtin_expect(labels != NULL, 0)) tw_relabel(place, row, labels);",
        "",
        SCRIPT_TESTS,
    ),
    step(
        "the last bytes of a long string are not looked at",
        "step_avx2.h",
        "tw_stops_at(p + n - 32)",
        "tw_stops_at(p)",
        PERFORM_TESTS,
    ),
    step(
        "a long string need not end where it is expected to",
        "step_avx2.h",
        "if (!TW_WITHIN(p, end, n + 1) || p[n] != '\"') return false;",
        "if (!TW_WITHIN(p, end, n + 1)) return false;",
        PERFORM_TESTS,
    ),
    step(
        "bits that do not tell choices apart are taken",
        "enum_match.h",
        "if (taken >> place & 1) return false;",
        "",
        PERFORM_TESTS,
    ),
    step(
        "bits behind the shorter choice tell them apart",
        "enum_match.h",
        "    differ &= count;\n",
        "",
        PERFORM_TESTS,
    ),
    step(
        "a choice is told by its first eight bytes",
        "enum_match.h",
        "((high ^ word->text[1]) & word->mask[1])",
        "0",
        PERFORM_TESTS,
    ),
    step(
        "the greatest id is new once more",
        "seen.h",
        "trade > ids->greatest",
        "trade >= ids->greatest",
        (*SEEN_TESTS, *SCRIPT_TESTS),
    ),
    module(
        "ids that a long message was put over are lost with it",
        SEEN,
        "                if self.journal.n >= FORGIVEN:\n",
        "                if False and self.journal.n >= FORGIVEN:\n",
        (*SEEN_TESTS, *SCRIPT_TESTS),
        "plans",
    ),
    step(
        "ids that were taken back are met again among the oldest",
        "seen.h",
        "if (ids->set_end < ids->n - TW_KNOWN_IDS) return false;",
        "if (false) return false;",
        SEEN_TESTS,
    ),
    module(
        "ids that were taken back stay in the set",
        SEEN,
        "            if ids.set_end > ids.n:\n",
        "            if False and ids.set_end > ids.n:\n",
        (*SEEN_TESTS, *ONCE_TESTS),
        "plans",
    ),
    module(
        "a set that was made in a message that is taken back stays",
        SEEN,
        "    if ids.set_full - ((ids.set_mask + 1) >> 1) > max(",
        "    if False and ids.set_full > max(",
        SEEN_TESTS,
        "plans",
    ),
    module(
        "one id too many is forgotten",
        SEEN,
        "first = max(<int64_t>0, ids.n - KNOWN_IDS)",
        "first = max(<int64_t>0, ids.n - KNOWN_IDS + 1)",
        SEEN_TESTS,
        "plans",
    ),
    step(
        "an id that was looked up does not go into the set",
        "seen.h",
        "    *slot = trade;\n",
        "",
        (*SEEN_TESTS, *ONCE_TESTS),
    ),
    step(
        "symbols of a group put their ids over each other's",
        "seen.h",
        "(i & (TW_LAST_IDS - 1)) * TW_GROUP_SYMBOLS",
        "(i & (TW_LAST_IDS - 1))",
        SEEN_TESTS,
    ),
    step(
        "a symbol is taken for another one of its place",
        "symbol_cache.h",
        "if (__builtin_expect(_mm_testz_si128(differ, differ), 1)) break;",
        "if (__builtin_expect(_mm_testz_si128(differ, differ), 1) || number != 0) break;",
        ("tests/decode/test_many_symbols.py",),
    ),
    step(
        "a bucket is left out behind a full one",
        "row_loop.h",
        "(at + TW_BUCKET_SLOTS)",
        "(at + 2 * TW_BUCKET_SLOTS)",
        ONCE_TESTS,
    ),
    module(
        "what was kept back by a script is forgotten",
        PERFORM,
        "        self.message.kept_back |= run.kept_back\n",
        "",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a row before white space is read once more",
        WALK,
        "            after = tw_skip_space(after, end)\n            if after >= end or (",
        "            if after < end and after[0] <= c' ':\n                return p\n"
        "            if after >= end or (",
        STEP_TESTS,
        "plans",
    ),
    module(
        "a channel that a step reads has no label",
        STEPS,
        "cell.register < 0 or cell.is_channel or step.reg",
        "cell.register < 0 or step.reg",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a route that a script does not prove is not looked at",
        ROUTING,
        "if self.verified(<int32_t>(script.route - self.bytecode.routes)):",
        "if script != NULL:",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a number that a route asks for is taken for a text",
        SCRIPT,
        "        if self.message.registers[step.reg].p[0] != c'\"':\n",
        "        if False:\n",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a trade seen before is staged by a script",
        PERFORM,
        "run.admitted = TW_WANTED if wanted else TW_UNWANTED",
        "run.admitted = TW_WANTED",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "what a script has staged stays where it does not fit",
        PERFORM,
        "p == NULL:\n                self.stage.take_back(script.route)\n",
        "p == NULL:\n",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a script proves whatever it observes",
        SCRIPT,
        "script.proved = (observed & (script.unsure | asked & ~script.frozen)) == 0",
        "script.proved = True",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a script asks only what the last message observed",
        SCRIPT,
        "asked = self.message.have | script.have",
        "asked = self.message.have",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a text that a route asks for is not compared",
        SCRIPT,
        "((<uint64_t>1 << made.n) - 1)\n    made.kind = kind\n",
        "(((<uint64_t>1 << step.n) - 1) << script.n_pending)\n    made.kind = kind\n",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "what a walk inside of a script sets is not told from null",
        SCRIPT,
        "script.unsure |= node.registers",
        "script.unsure |= 0",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "what follows a row is taken from the message before",
        SCRIPT,
        "return op.register < 0 or ((end.before ^ script.have) >> op.register) & 1 == 0",
        "return True",
        SCRIPT_TESTS,
        "plans",
    ),
    # The handshake.
    python(
        "the key is not looked at",
        HANDSHAKE,
        'if accept is None or not compare_digest(accept.encode("latin-1"), self._accept.encode()):',
        "if accept is None:",
        HANDSHAKE_TESTS,
        "handshake",
    ),
    python(
        "lines may end without CR",
        HANDSHAKE,
        "if _BARE_LINE_END.search(self._buffer, max(self._block_start, self._looked_at - 1), end):",
        "if False:",
        HANDSHAKE_TESTS,
        "handshake",
    ),
    python(
        "the end of a header is missed where it is cut",
        HANDSHAKE,
        "max(self._block_start, self._looked_at - 3))",
        "max(self._block_start, self._looked_at))",
        HANDSHAKE_TESTS,
        "handshake",
    ),
    python(
        "a header without end is waited for",
        HANDSHAKE,
        "        if end > MAX_HEADER_BYTES:\n",
        "        if end > 1000 * MAX_HEADER_BYTES:\n",
        HANDSHAKE_TESTS,
        "handshake",
    ),
    python(
        "a parameter of compression may stand twice",
        COMPRESSION,
        "        if name in found:\n",
        "        if False:\n",
        COMPRESSION_TESTS,
        "handshake",
    ),
    python(
        "a window may begin with a right number of bits",
        COMPRESSION,
        "_WINDOW_BITS.fullmatch(value)",
        "_WINDOW_BITS.match(value)",
        COMPRESSION_TESTS,
        "handshake",
    ),
    # Captures.
    python(
        "what a block ends with is lost",
        LINES,
        "                        lines[0] = rest + lines[0]\n",
        "                        lines[0] = lines[0]\n",
        CAPTURE_TESTS,
        "captures",
    ),
    python(
        "a last line without an end is lost",
        LINES,
        "        if rest:\n            yield [rest]\n",
        "",
        CAPTURE_TESTS,
        "captures",
    ),
    python(
        "more messages than times are read",
        READER,
        "                time = next(times, None)\n",
        "                time = next(times, (0, 0))\n",
        CAPTURE_TESTS,
        "captures",
    ),
    # Rings that begin again at their front.
    module(
        "a ring begins again and leaves its consumers behind",
        MARKS,
        "    push_gates(ring.header, new)\n",
        "",
        RING_TESTS,
        "plans",
    ),
    module(
        "what a ring has jumped over counts as rows",
        RING,
        "            seq = self.seq_base + first - self.skipped\n",
        "            seq = self.seq_base + first\n",
        RING_TESTS,
        "plans",
    ),
    module(
        "the first text behind a jump begins where an old one ended",
        MARKS,
        "            ends[(new - 1) & ring.mask] = end\n",
        "",
        RING_TESTS,
        "plans",
    ),
    module(
        "a ring begins again although somebody lags",
        GATES,
        "        if gate != row << 1:\n",
        "        if gate & 1:\n",
        RING_TESTS,
        "plans",
    ),
    module(
        "rows dropped behind a jump have the wrong numbers",
        MARKS,
        "            first - ring.skipped, position - 1 - ring.skipped,\n",
        "            first, position - 1,\n",
        RING_TESTS,
        "plans",
    ),
)
