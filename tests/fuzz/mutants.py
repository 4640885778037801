"""Faults to be planted: what each is, where it goes, and who should find it.

A fault is one replacement in one function of a room; `places` says how it is found. It must fit
exactly once, so that a change of that very code makes planting fail loudly, and not pass without a
fault in place.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.fuzz.mutants_of_books import KNOWN_LEVELS, SHARED_COLUMNS
from tests.fuzz.places import places

ROOT = Path(__file__).resolve().parents[2]
FRAME_TESTS = (
    "tests/wire/test_parser.py",
    "tests/wire/test_streamed.py",
    "tests/wire/test_hostile_frames.py",
)
DEFLATE_TESTS = ("tests/wire/test_inflate.py", "tests/wire/test_compressed_frames.py")
VALUE_TESTS = ("tests/decode/test_values.py",)
BOUND_TESTS = ("tests/decode/test_scalar_bounds.py", *VALUE_TESTS)
STEP_TESTS = (
    "tests/decode/test_steps.py",
    "tests/decode/test_walk.py",
    "tests/decode/test_hostile.py",
)
SEEN_TESTS = ("tests/decode/test_seen.py",)
ONCE_TESTS = ("tests/decode/test_deduplicate.py",)
SCRIPT_TESTS = ("tests/decode/test_script.py", "tests/decode/test_script_bounds.py")
PERFORM_TESTS = ("tests/decode/test_runner.py",)
ENUM_TESTS = ("tests/decode/test_enum_match.py", *PERFORM_TESTS)
RING_TESTS = (
    "tests/ring/test_watermarks.py",
    "tests/ring/test_consumer.py",
    "tests/ring/test_reader.py",
    "tests/ring/test_hammer.py",
)
HANDSHAKE_TESTS = ("tests/wire/test_handshake.py",)
COMPRESSION_TESTS = ("tests/wire/test_compression.py",)
CAPTURE_TESTS = ("tests/capture/test_reader.py",)


class Mutant(NamedTuple):
    """A fault to be planted.

    Parameters
    ----------
    name
        What is wrong.
    place
        The room and the function. Without a function: anywhere in the room.
    find, replace
        Code of it, and what stands there instead.
    modules
        The compiled modules that have it inside, as room and stem; none: the one where it is.
    tests
        The test files that should find it.
    target
        The fuzz target that should find it.
    """

    name: str
    place: str
    find: str
    replace: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    target: str

    def found(self, root: Path = ROOT) -> tuple[Path, int, int]:
        """Give the file, and where in it the code begins and ends.

        Raises
        ------
        LookupError
            Where it does not fit exactly once.
        """
        room, _, function = self.place.partition(".")
        found = places(root, room, function, self.find)
        if len(found) != 1:
            raise LookupError(f"{self.name}: {self.find!r} fits {len(found)} times in {self.place}")
        return found[0]

    def compiled(self, path: Path) -> tuple[str, ...]:
        """Give the modules to compile for a fault in this file."""
        if self.modules or path.suffix != ".pyx":
            return self.modules
        return (f"{path.parent.name}.{path.stem}",)


# What takes frames whole and what takes them in pieces have the same headers inside.
WHOLE_AND_PIECES = ("wire._parser", "wire._streamed")


def frames(
    name: str,
    place: str,
    find: str,
    replace: str,
    *,
    modules: tuple[str, ...] = ("wire._parser",),
) -> Mutant:
    """Make a fault of the frame parser, or of what is inlined into it."""
    return Mutant(name, place, find, replace, modules, FRAME_TESTS, "frames")


def module(
    name: str, place: str, find: str, replace: str, tests: tuple[str, ...], target: str
) -> Mutant:
    """Make a fault of a module, compiled or Python."""
    return Mutant(name, place, find, replace, (), tests, target)


def ring(name: str, place: str, find: str, replace: str) -> Mutant:
    """Make a fault of the headers that are a ring's writer."""
    # What they are inlined into.
    modules = (
        *("decode._publish", "decode._stage", "decode._targets", "decode._walk"),
        *("ring._ring", "ring._stage"),
    )
    return Mutant(name, place, find, replace, modules, RING_TESTS, "plans")


def scalar(name: str, place: str, find: str, replace: str, target: str = "numbers") -> Mutant:
    """Make a fault of a header that reads scalars."""
    return Mutant(name, place, find, replace, ("decode._values",), BOUND_TESTS, target)


def step(
    name: str, place: str, find: str, replace: str, tests: tuple[str, ...] = STEP_TESTS
) -> Mutant:
    """Make a fault of the kernels that templates and scripts run."""
    # What the kernels are inlined into.
    modules = ("decode._seen", "decode._steps", "decode._template", "decode._walk")
    return Mutant(name, place, find, replace, modules, tests, "venues")


MUTANTS = (
    # Frames: lengths, bounds, masks, order.
    frames(
        "a length of 2^63 and more is not told from one that is too big",
        "wire._take_frame",
        "if length >> 63:",
        "if False and length >> 63:",
    ),
    frames(
        "the shortest form of a length is off by one",
        "wire._take_frame",
        "length <= (125 if header == 4 else 0xFFFF)",
        "length < (125 if header == 4 else 0xFFFF)",
    ),
    frames(
        "the largest frame is off by one",
        "wire._take_frame",
        "if length > self.max_frame:",
        "if length >= self.max_frame:",
    ),
    frames(
        "what came of a message is not counted against its limit",
        "wire._take_frame",
        "length > self.max_message - self.streamed.assembly.size:",
        "length > self.max_message:",
    ),
    module(
        "the mask begins anew with each piece of a frame",
        "wire._put",
        "tw_mask(placed, n, self.frame_key, self.frame_seen)",
        "tw_mask(placed, n, self.frame_key, 0)",
        FRAME_TESTS,
        "frames",
    ),
    frames(
        "a refused message is unmasked twice",
        "wire._take_frame",
        "if second & MASK and not self.prepared:",
        "if second & MASK:",
    ),
    frames(
        "a frame is read one byte before it is whole",
        "wire._take_frame",
        "if n < header + <size_t> length:",
        "if n + 1 < header + <size_t> length:",
    ),
    module(
        "text may end in the middle of a character",
        "wire._end",
        "return Fault.TEXT_NOT_UTF8 if self.utf8.need else Fault.NO_FAULT",
        "return Fault.NO_FAULT",
        FRAME_TESTS,
        "frames",
    ),
    frames(
        "frames are read on after a close",
        "wire.feed",
        "if used == 0 or self.halted or self.closed:",
        "if used == 0 or self.halted:",
    ),
    frames(
        "the fast loop takes a masked frame for a long one",
        "wire._take_plain",
        "if data[pos + 1] != 126 or length < 126:",
        "if data[pos + 1] == 127 or length < 126:",
    ),
    frames(
        "the fast loop takes text without looking at it",
        "wire._take_plain",
        "tw_ascii_prefix(data + pos + header, length) != length and not is_text(",
        "False and not is_text(",
    ),
    frames(
        "a control frame may be fragmented",
        "wire.head_fault",
        "if not first & FIN:",
        "if False and not first & FIN:",
    ),
    frames(
        "a control frame may have 126 bytes",
        "wire.head_fault",
        "(second & 0x7F) > 125",
        "(second & 0x7F) > 126",
    ),
    frames(
        "a server may mask",
        "wire.head_fault",
        "elif second & MASK:\n        return Fault.MASKED_FROM_SERVER",
        "elif False:\n        return Fault.MASKED_FROM_SERVER",
    ),
    frames(
        "the key of a mask is not turned",
        "wire.tw_mask",
        "turned[k] = key[(offset + k) & 3];",
        "turned[k] = key[k & 3];",
        modules=WHOLE_AND_PIECES,
    ),
    frames(
        "the mask is laid over a byte too many",
        "wire.tw_mask",
        "for (; i + 8 <= n; i += 8) {",
        "for (; i + 7 <= n; i += 8) {",
        modules=WHOLE_AND_PIECES,
    ),
    # UTF-8.
    frames(
        "overlong forms of three bytes are taken",
        "base.tw_utf8_check",
        "low = 0xA0; /* below: overlong */",
        "low = 0x80;",
        modules=WHOLE_AND_PIECES,
    ),
    frames(
        "surrogates are taken",
        "base.tw_utf8_check",
        "high = 0x9F; /* above: surrogates */",
        "high = 0xBF;",
        modules=WHOLE_AND_PIECES,
    ),
    frames(
        "the state between two pieces of a text forgets a bound",
        "base.tw_utf8_check",
        "state->low = low;",
        "state->low = 0x80;",
        modules=WHOLE_AND_PIECES,
    ),
    # Buffers.
    module(
        "a buffer grows to one byte less than it must hold",
        "wire._grow",
        "while capacity < least:",
        "while capacity + 1 < least:",
        ("tests/wire/test_assembly.py", *FRAME_TESTS),
        "compressed",
    ),
    module(
        "a ping more is kept than there are slots",
        "wire.add",
        "if self.n_waiting_pings < PING_SLOTS:",
        "if self.n_waiting_pings <= PING_SLOTS:",
        ("tests/wire/test_control.py",),
        "receiver",
    ),
    module(
        "what has been parsed is counted into what is left",
        "net.feed_once",
        "self.head += <size_t>n_taken",
        "self.head += <size_t>n_taken - (n_taken > 1)",
        ("tests/net/test_receiver.py",),
        "receiver",
    ),
    # Compression.
    module(
        "a message may be one byte above the limit",
        "wire._pump",
        "if self.output.size > self.limit:",
        "if self.output.size > self.limit + 1:",
        DEFLATE_TESTS,
        "inflate",
    ),
    module(
        "a message that stops in the middle of a byte is taken",
        "wire.finish",
        "or self.stream.data_type & Z_UNUSED_BITS",
        "",
        DEFLATE_TESTS,
        "inflate",
    ),
    module(
        "the context is kept although none was agreed on",
        "wire.begin",
        "self.zlib.inflate_reset(&self.stream)",
        "self.zlib.inflate_reset_keep(&self.stream)",
        DEFLATE_TESTS,
        "inflate",
    ),
    module(
        "a second member of gzip is not begun anew",
        "wire._pump",
        "self.zlib.inflate_reset(stream)",
        "self.zlib.inflate_reset_keep(stream)",
        DEFLATE_TESTS,
        "inflate",
    ),
    # Numbers, times, strings.
    scalar(
        "numbers may begin with zeros",
        "decode.tw_parse_decimal",
        "if (n_whole == 0 || (n_whole > 1 && *first == '0')) return NULL;",
        "if (n_whole == 0) return NULL;",
    ),
    scalar(
        "eight digits are read where seven bytes are left",
        "decode.tw_digits",
        "while (end - p >= 8) {",
        "while (end - p >= 7) {",
    ),
    scalar(
        "halfway between two floats goes up",
        "decode.tw_lemire",
        "m &= ~1ULL;",
        "m &= ~0ULL;",
    ),
    scalar(
        "twenty digits are kept of a long number",
        "decode.tw_long_mantissa",
        "if (kept < 19) {",
        "if (kept < 20) {",
    ),
    scalar(
        "each fourth year is a leap year",
        "decode.tw_month_days",
        "(year % 4 == 0 && year % 100 != 0) || year % 400 == 0",
        "year % 4 == 0",
    ),
    scalar(
        "a count of units may overflow",
        "decode.tw_parse_time",
        "if (__builtin_mul_overflow((int64_t)count, unit_ns, &total)) return NULL;",
        "total = (int64_t)((uint64_t)count * (uint64_t)unit_ns);",
    ),
    scalar(
        "one bracket more is followed than there is room for",
        "decode.tw_skip_container",
        "if (depth == TW_JSON_DEPTH) return NULL;",
        "if (depth > TW_JSON_DEPTH) return NULL;",
        "strings",
    ),
    scalar(
        "an escape is read where five bytes are left",
        "decode.tw_skip_escape",
        "if (end - p < 6) return NULL;",
        "if (end - p < 5) return NULL;",
        "strings",
    ),
    scalar(
        "a bracket may close one of the other kind",
        "decode.tw_skip_container",
        "if (object != (c == '}')) return NULL;",
        "(void)object;",
        "strings",
    ),
    module(
        "a high surrogate may follow another",
        "decode.unescape",
        "if low < 0xDC00 or low >= 0xE000:",
        "if low < 0xD800 or low >= 0xE000:",
        VALUE_TESTS,
        "strings",
    ),
    step(
        "templates take decimals that begin with zeros",
        "decode.TW_SHAPE",
        "(whole) > 1 ? 1000000000000000 : 0,",
        "(whole) > 15 ? 1000000000000000 : 0,",
    ),
    step(
        "an integer that goes on behind its sixteenth digit ends there",
        "decode.tw_goes_on",
        "|| tw_is_digit(c); }",
        "; }",
        PERFORM_TESTS,
    ),
    step(
        "templates take integers with zeros in front",
        "decode.",
        "UINT64_MAX, 0, 10, 100,",
        "UINT64_MAX, 0, 0, 100,",
    ),
    step(
        "templates take decimals that end with their dot",
        "decode.TW_IS_SHAPE",
        "(n) >= (whole) + 2)",
        "(n) > (whole))",
    ),
    step(
        "levels of books take decimals with two dots",
        "decode.tw_are_decimals",
        "(_blsr_u32(others_0) | _blsr_u32(others_1)) != 0",
        "false",
    ),
    step(
        "a number that goes on behind what was read ends there",
        "decode.TW_LOOP",
        "step--;\n    p = tw_number_before(p);\n    goto rule;",
        "p = tw_number_before(p);\n    goto rule;",
    ),
    step(
        "the levels of a book need no comma between them",
        "decode.tw_make_joint",
        "joint->mask = (uint32_t)((1ULL << joint->n) - 1);",
        "joint->mask = (uint32_t)((1ULL << joint->n) - 1) & ~(1U << n_a);",
    ),
    *(step(*each) for each in (*KNOWN_LEVELS, *SHARED_COLUMNS)),
    # Scripts, and the memory of ids that they ask.
    step(
        "a script ends before the message does",
        "decode.TW_LOOP",
        "if (!is_script || p == end) run->stop = TW_STOP_END;",
        "run->stop = TW_STOP_END;",
        SCRIPT_TESTS,
    ),
    step(
        "a row that is not requested is counted",
        "decode.TW_LOOP",
        "run->kept_back |= place->bit;",
        "run->kept_back |= place->bit, place->ring->head = ++row;",
        SCRIPT_TESTS,
    ),
    step(
        "a list has one row more than the ring takes",
        "decode.TW_LOOP",
        "if (*p == ',') {\n            if (row >= run->last && row >= (",
        "if (*p == ',') {\n            if (row > run->last && row > (",
        SCRIPT_TESTS,
    ),
    module(
        "rows of a symbol that is not configured are written",
        "decode.prepare",
        "if message.deferring and not self.is_allowed(symbol):",
        "if False:",
        ("tests/decode/test_configured_symbols.py",),
        "plans",
    ),
    step(
        "the labels of a connection are not looked at",
        "decode.tw_store_cells",
        "if (__builtin_expect(labels != NULL, 0)) tw_relabel(place, row, labels);",
        "",
        SCRIPT_TESTS,
    ),
    step(
        "the last bytes of a long string are not looked at",
        "decode.tw_is_plain_text_fast",
        "tw_stops_at(p + n - 32)",
        "tw_stops_at(p)",
        PERFORM_TESTS,
    ),
    step(
        "a long string need not end where it is expected to",
        "decode.tw_is_plain_text_fast",
        "if (!TW_WITHIN(p, end, n + 1) || p[n] != '\"') return false;",
        "if (!TW_WITHIN(p, end, n + 1)) return false;",
        PERFORM_TESTS,
    ),
    step(
        "bits that do not tell choices apart are taken",
        "decode.tw_put_words",
        "if (taken >> place & 1) return false;",
        "",
        ENUM_TESTS,
    ),
    step(
        "bits behind the shorter choice tell them apart",
        "decode.tw_make_enum_match",
        "differ &= count;",
        "",
        ENUM_TESTS,
    ),
    step(
        "an enum is matched by its first eight bytes",
        "decode.tw_word_at",
        "((high ^ word->text[1]) & word->mask[1])",
        "0",
        ENUM_TESTS,
    ),
    step(
        "the greatest id is new once more",
        "decode.tw_remember",
        "trade > ids->greatest",
        "trade >= ids->greatest",
        (*SEEN_TESTS, *SCRIPT_TESTS),
    ),
    module(
        "ids that a long message was put over are lost with it",
        "decode.undo",
        "if self.journal.n >= FORGIVEN:",
        "if False and self.journal.n >= FORGIVEN:",
        (*SEEN_TESTS, *SCRIPT_TESTS),
        "plans",
    ),
    step(
        "ids that were taken back are met again among the oldest",
        "decode.tw_catch_up",
        "if (ids->n >= ids->set_full || ids->set_end < ids->n - TW_KNOWN_IDS) return false;",
        "if (ids->n >= ids->set_full) return false;",
        SEEN_TESTS,
    ),
    module(
        "ids that were taken back stay in the set",
        "decode.undo",
        "if ids.set_end > ids.n:",
        "if False and ids.set_end > ids.n:",
        (*SEEN_TESTS, *ONCE_TESTS),
        "plans",
    ),
    module(
        "a set that was made in a message that is taken back stays",
        "decode._take_out",
        "if ids.set_full - ((ids.set_mask + 1) >> 1) > max(",
        "if False and ids.set_full > max(",
        SEEN_TESTS,
        "plans",
    ),
    module(
        "one id too many is forgotten",
        "decode._make_set",
        "first = max(<int64_t>0, ids.n - KNOWN_IDS)",
        "first = max(<int64_t>0, ids.n - KNOWN_IDS + 1)",
        SEEN_TESTS,
        "plans",
    ),
    step(
        "an id that was looked up does not go into the set",
        "decode.tw_remember",
        "*slot = trade;",
        "",
        (*SEEN_TESTS, *ONCE_TESTS),
    ),
    step(
        "symbols of a group put their ids over each other's",
        "decode.tw_eight_of",
        "(i & (TW_LAST_IDS - TW_TAIL_IDS)) / TW_TAIL_IDS * TW_GROUP_SYMBOLS",
        "(i & (TW_LAST_IDS - TW_TAIL_IDS)) / TW_TAIL_IDS",
        SEEN_TESTS,
    ),
    step(
        "a symbol is taken for another one of its place",
        "decode.tw_symbol_at_fast",
        "if (__builtin_expect(_mm_testz_si128(differ, differ), 1)) break;",
        "if (__builtin_expect(_mm_testz_si128(differ, differ), 1) || number != 0) break;",
        ("tests/decode/test_many_symbols.py",),
    ),
    step(
        "a bucket is left out behind a full one",
        "decode.tw_slot_of_fast",
        "(at + TW_BUCKET_SLOTS)",
        "(at + 2 * TW_BUCKET_SLOTS)",
        ONCE_TESTS,
    ),
    module(
        "a row before white space is read once more",
        "decode.single_rows",
        "after = tw_skip_space(after, end)\n            if after >= end or (",
        "if after < end and after[0] <= c' ':\n                return p\n"
        "            if after >= end or (",
        STEP_TESTS,
        "plans",
    ),
    module(
        "a channel that a step reads has no label",
        "decode.place",
        "cell.register < 0 or cell.is_channel or step.reg",
        "cell.register < 0 or step.reg",
        ("tests/decode/test_template.py",),
        "plans",
    ),
    module(
        "a route that a script does not prove is not looked at",
        "decode.confirmed",
        "if self.verified(script.route, &script.proof, script.known, script.rivals):",
        "if script != NULL:",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a number that a route compares is only asked to be there",
        "decode.only_presence",
        "if self.draft.program.scalars[test.values.first + j].form != FORM_STRING:",
        "if False:",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a duplicate trade is staged by a script",
        "decode.help",
        "run.admitted = TW_WANTED if wanted else TW_UNWANTED",
        "run.admitted = TW_WANTED",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "what a script has staged stays where it does not fit",
        "decode.go_on",
        "p == NULL:\n                self.stage.rollback(script.route)",
        "p == NULL:",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a script proves whatever it observes",
        "decode.verify",
        "script.verified = script.rivals == 0 and not self.asks(script.route.tests)",
        "script.verified = True",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "an earlier route is ruled out by a text that differs from message to message",
        "decode.is_excluded",
        "(self.draft.script.known >> self.draft.program.tests[one.first].register) & 1",
        "True",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "a text that a route asks for is not compared",
        "decode.observed",
        "self.draft.progress.dynamic |= <uint64_t>1 << node.observe",
        "self.draft.progress.dynamic |= 0",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "what a walk inside of a script sets is not told from null",
        "decode.walk",
        "progress.unsure |= node.registers",
        "progress.unsure |= 0",
        SCRIPT_TESTS,
        "plans",
    ),
    module(
        "what follows a row is taken from the message before",
        "decode.is_settled",
        "((place.last.before ^ self.draft.progress.have) >> op.register) & 1 == 0",
        "True",
        SCRIPT_TESTS,
        "plans",
    ),
    # The handshake.
    module(
        "the key is not looked at",
        "wire._accept_101",
        'if accept is None or not compare_digest(accept.encode("latin-1"), self._accept.encode()):',
        "if accept is None:",
        HANDSHAKE_TESTS,
        "handshake",
    ),
    module(
        "lines may end without CR",
        "wire._find_header_end",
        "if _BARE_LINE_END.search(self._buffer, max(self._block_start, self._looked_at - 1), end):",
        "if False:",
        HANDSHAKE_TESTS,
        "handshake",
    ),
    module(
        "the end of a header is missed where it is cut",
        "wire._find_header_end",
        "max(self._block_start, self._looked_at - 3))",
        "max(self._block_start, self._looked_at))",
        HANDSHAKE_TESTS,
        "handshake",
    ),
    module(
        "a header without end is waited for",
        "wire._find_header_end",
        "if end > MAX_HEADER_BYTES:",
        "if end > 1000 * MAX_HEADER_BYTES:",
        HANDSHAKE_TESTS,
        "handshake",
    ),
    module(
        "a parameter of compression may stand twice",
        "wire._values",
        "if name in found:",
        "if False:",
        COMPRESSION_TESTS,
        "handshake",
    ),
    module(
        "a window may begin with a right number of bits",
        "wire._values",
        "_WINDOW_BITS.fullmatch(value)",
        "_WINDOW_BITS.match(value)",
        COMPRESSION_TESTS,
        "handshake",
    ),
    # Captures.
    module(
        "what a block ends with is lost",
        "capture.blocks",
        "lines[0] = rest + lines[0]",
        "lines[0] = lines[0]",
        CAPTURE_TESTS,
        "captures",
    ),
    module(
        "a last line without an end is lost",
        "capture.blocks",
        "if rest:\n            yield [rest]",
        "pass",
        CAPTURE_TESTS,
        "captures",
    ),
    module(
        "more messages than times are read",
        "capture.messages",
        "time = next(times, None)",
        "time = next(times, (0, 0))",
        CAPTURE_TESTS,
        "captures",
    ),
    # Rings that begin again at their front.
    ring(
        "a ring begins again and leaves its consumers behind",
        "ring.tw_jump",
        "tw_push_gates(header, to);",
        ";",
    ),
    ring(
        "what a ring has jumped over counts as rows",
        "ring.tw_publish",
        "seq = ring->seq_base + first - ring->skipped;",
        "seq = ring->seq_base + first;",
    ),
    ring(
        "the first text behind a jump begins where an old one ended",
        "ring.tw_jump",
        "tw_ends(column)[(to - 1) & ring->mask] = end;",
        "(void)end;",
    ),
    ring(
        "a ring begins again although a consumer lags",
        "ring.tw_count_gates_at",
        "if (gate != position << 1)",
        "if (gate & 1)",
    ),
    ring(
        "rows dropped behind a jump have the wrong numbers",
        "ring.tw_drop_below",
        ".first_row = lowest - ring->skipped, .last_row = position - 1 - ring->skipped,",
        ".first_row = lowest, .last_row = position - 1,",
    ),
    ring(
        "a text may take what a consumer still holds",
        "ring",
        "|| start + (int64_t)n > column->text_limit",
        "",
    ),
)
