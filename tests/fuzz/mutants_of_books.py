"""Faults of what reads books, to be planted: name, header, what stands there, what shall, tests."""

FILL_TESTS = ("tests/decode/test_near_templates.py",)
LEVEL_TESTS = ("tests/decode/test_level_cache.py",)

Fault = tuple[str, str, str, str, tuple[str, ...]]
KNOWN_LEVELS: tuple[Fault, ...] = (
    (
        "a level is known by all its bytes but the last",
        "decode.tw_find_levels",
        "_bzhi_u64(unlike, (uint32_t)n) |",
        "_bzhi_u64(unlike, (uint32_t)n - 1) |",
        LEVEL_TESTS,
    ),
    (
        "a level is known that another template has read",
        "decode.tw_find_levels",
        "= level->stamp_and_n - stamp;",
        "= (level->stamp_and_n & 255) + 0 * stamp;",
        LEVEL_TESTS,
    ),
    (
        "a level is known for the last of its array where that goes on",
        "decode.tw_find_levels",
        "&& p[n_same] == ']')",
        "&& p[n_same] != 0)",
        LEVEL_TESTS,
    ),
    (
        "a level is known for the last of its array though it is another",
        "decode.tw_find_levels",
        "n_same + 1 + n_first == n_known &&",
        "n_same + 1 + n_first <= n_known &&",
        LEVEL_TESTS,
    ),
    (
        "the last level of an array is kept with what stands behind it",
        "decode.tw_keep_level",
        "memcpy(text + stop, level_cache->next.text, TW_JOINT_BYTES);",
        "(void)text[stop];",
        LEVEL_TESTS,
    ),
    (
        "a trial of known levels never ends",
        "decode.tw_judge_level_cache",
        "if (level_cache->n_tried < level_cache->trial) return;",
        "return;",
        LEVEL_TESTS,
    ),
    (
        "levels are never looked for again",
        "decode.tw_judge_level_cache",
        "n < level_cache->resting ? level_cache->resting - (int32_t)n : 0;",
        "level_cache->resting;",
        LEVEL_TESTS,
    ),
)
SHARED_COLUMNS: tuple[Fault, ...] = (
    (
        "a column is filled around the end of its ring without its beginning",
        "decode.tw_fill_rows",
        "tw_fill_bytes(column, (n - n_to_end) << log2_bytes, pattern);",
        "",
        FILL_TESTS,
    ),
    (
        "the rest of a column is not filled",
        "decode.tw_fill_bytes",
        "*(tw_fill_words *)stop = words;",
        "",
        FILL_TESTS,
    ),
)
