"""Learning templates; the theory is in the declaration."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from tickwire.decode._bytecode cimport (
    FORM_STRING, FORM_WORD, OP_CHOICE, OP_CODE, OP_FLAG, OP_INTEGER, OP_INTEGER32, OP_NUMBER,
    OP_TEXT, OP_TIME, ActionOp, Edge, Bytecode, NodeOp, Range, Scalar,
)
from tickwire.decode._values cimport (
    TEXT_NULL, TEXT_STRING, TEXT_WORD, Register, Text, read_scalar, tw_skip_space, tw_skip_value,
    tw_string_end,
)

cdef extern from "tickwire/decode/enum_match.h" nogil:
    enum:
        MAX_WORDS "TW_MAX_WORDS"
        WORD_BYTES "TW_WORD_BYTES"

    ctypedef struct Word "tw_word":
        pass

    bint tw_make_word(Word* word, const uint8_t* p, uint32_t n, uint32_t length, int64_t result)
    bint tw_make_enum_match(Choice* choice, const Word* words, int n)

cdef extern from "tickwire/decode/step.h" nogil:
    enum:
        NS_PER_MS "TW_NS_PER_MS"


cdef Edge* edge_of(Bytecode program, Range keys, const uint8_t* key, size_t n) noexcept nogil:
    cdef Edge* edge
    cdef int32_t i
    for i in range(keys.n):
        edge = &program.edges[keys.first + i]
        if edge.n == n and memcmp(edge.text, key, n) == 0:
            return edge
    return NULL


cdef Edge* _index(Bytecode program, Range items, int32_t index) noexcept nogil:
    cdef int32_t i
    for i in range(items.n):
        if program.edges[items.first + i].index == index:
            return &program.edges[items.first + i]
    return NULL


cdef int _kind(ActionOp* action, Text* text) noexcept nogil:
    """The step for a scalar that one action reads."""
    cdef bint string = text.form == TEXT_STRING
    if text.form == TEXT_WORD:
        return STEP_CHOICE if action.op == OP_CHOICE or action.op == OP_FLAG else STEP_RULE
    if action.op == OP_NUMBER and not action.magnitude:
        return STEP_F64
    if action.op == OP_INTEGER or action.op == OP_INTEGER32:
        return STEP_INTEGER if action.operand == 0 else STEP_RULE
    if action.op == OP_TIME:
        return STEP_TIME if action.operand <= NS_PER_MS and not action.later_ns else STEP_RULE
    if action.op == OP_TEXT:
        return STEP_TEXT if string else STEP_DIGITS
    if action.op == OP_CODE and string:
        return STEP_CODE
    if action.op == OP_CHOICE and string:
        return STEP_CHOICE
    return STEP_RULE


cdef int _kind_of_unwanted(uint8_t first) noexcept nogil:
    if first == c'"':
        return STEP_SKIP_STRING
    return STEP_SKIP_NUMBER if c'0' <= first <= c'9' else STEP_SKIP


cdef void skip_string(Step* step, size_t n) noexcept nogil:
    """The step for a string of n bytes, without escapes, that is not requested."""
    step.kind = STEP_SKIP_LONG if LONG_STRING <= n <= LONGEST_STRING else STEP_SKIP_STRING
    step.length = <uint32_t>n


cdef bint _add(Template* template, const uint8_t* literal, const uint8_t* end) noexcept nogil:
    cdef Step* step = &template.steps[template.n_steps]
    cdef Step* last = step - 1
    if end - literal > MAX_LITERAL or end == literal or template.n_steps == MAX_STEPS:
        return False
    step.n = <uint64_t>(end - literal)
    step.mask = <uint32_t>(((<uint64_t>1) << step.n) - 1)
    memcpy(step.literal, literal, end - literal)
    step.before = 0
    if template.n_steps:
        step.before = last.before
        if last.kind >= STEP_F64 and last.kind != STEP_NODE:
            step.before |= <uint64_t>1 << last.reg
    template.n_steps += 1
    return True


cdef const uint8_t* _strings(Template* template, const uint8_t* literal, const uint8_t* p,
                             const uint8_t* after) noexcept nogil:
    """Steps for each string of an array that is not requested; NULL where it is something else."""
    cdef int first = template.n_steps
    cdef int _n
    cdef bint escaped
    for _n in range(MOST_SKIPPED):
        p += 1
        if p >= after or p[0] != c'"' or not _add(template, literal, p + 1):
            break
        literal = tw_string_end(p + 1, after, &escaped)
        if literal == NULL or escaped:
            break
        skip_string(&template.steps[template.n_steps - 1], literal - p - 1)
        template.steps[template.n_steps - 1].turn = -1
        template.steps[template.n_steps - 1].reg = 0
        p = literal + 1
        if p[0] == c']':
            return literal
        if p[0] != c',':
            break
    template.n_steps = first
    return NULL


cdef bint choose(Step* step, ActionOp* action, Bytecode program, bint string) noexcept nogil:
    """Expect the texts of a choice; of strings with their closing quotes."""
    cdef Word words[MAX_WORDS]
    cdef uint8_t text[WORD_BYTES]
    cdef Scalar* scalar
    cdef int32_t i
    cdef int n = 0
    if action.op == OP_FLAG:
        tw_make_word(&words[0], b"true", 4, 4, True)
        tw_make_word(&words[1], b"false", 5, 5, False)
        return tw_make_enum_match(&step.choice, words, 2)
    for i in range(action.choices.n):
        scalar = &program.scalars[action.choices.first + i]
        if scalar.form != <int>(FORM_STRING if string else FORM_WORD):
            continue
        if scalar.n >= WORD_BYTES or n == MAX_WORDS:
            continue
        memcpy(text, scalar.text, scalar.n)
        text[scalar.n] = c'"'
        tw_make_word(&words[n], text, scalar.n + string, scalar.n, scalar.result)
        n += 1
    return tw_make_enum_match(&step.choice, words, n)


cdef const uint8_t* _value(Template* template, Bytecode program, Edge* edge, const uint8_t* literal,
                           const uint8_t* p, const uint8_t* after) noexcept nogil:
    """Add the step of the value at p; the end of what it reads, NULL where it cannot be learned."""
    cdef Step* step = &template.steps[template.n_steps]
    cdef const uint8_t* stop
    cdef NodeOp* node
    cdef ActionOp* action
    cdef Text text
    if template.n_steps == MAX_STEPS:
        return NULL
    step.turn = -1
    step.reg = 0
    step.first = p[0]
    if edge == NULL:
        step.kind = _kind_of_unwanted(p[0])
        if p[0] == c'[' and template.misses < MOST_MISSES:
            stop = _strings(template, literal, p, after)
            if stop != NULL:
                return stop
            step.kind = STEP_SKIP
    else:
        node = &program.nodes[edge.node]
        step.node = edge.node
        step.turn = edge.turn
        step.kind = STEP_NODE
        if node.actions.n == 1 and node.observe < 0 and not node.gives_rows and node.fills.n == 0:
            action = &program.actions[node.actions.first]
            if not read_scalar(p, after, &text):
                return NULL
            if text.form != TEXT_NULL and not text.escaped and text.n:
                step.kind = _kind(action, &text)
                step.reg = action.register
                step.action = action
                step.unit_ns = action.operand
                step.is_int32 = action.op == OP_INTEGER32
                step.known = NULL
                step.warm = NULL
                if step.kind == STEP_CHOICE \
                        and not choose(step, action, program, text.form == TEXT_STRING):
                    step.kind = STEP_RULE
        elif node.actions.n == 0 and node.observe >= 0 and p[0] == c'"':
            if not read_scalar(p, after, &text):
                return NULL
            if not text.escaped:
                step.kind = STEP_OBSERVE
                step.reg = node.observe
    template.flat = template.flat and step.kind != STEP_NODE
    step.quoted = p[0] == c'"' and step.kind != STEP_NODE and step.kind != STEP_SKIP
    if not _add(template, literal, p + step.quoted):
        return NULL
    literal = p + step.quoted
    p = tw_skip_value(p, after)
    if p == NULL:
        return NULL
    p -= step.quoted
    if step.kind == STEP_SKIP_STRING:
        skip_string(step, p - literal)
    return p


cdef const uint8_t* _body(Template* template, Bytecode program, NodeOp* node,
                          const uint8_t* literal, const uint8_t* p, const uint8_t* after) \
        noexcept nogil:
    """Add the steps of an object or array at p; where the next literal begins, NULL if none can."""
    cdef const uint8_t* stop
    cdef Edge* edge
    cdef bint keyed = p[0] == c'{'
    cdef bint escaped
    cdef int32_t index = 0
    cdef int32_t next_turn = 0
    p = tw_skip_space(p + 1, after)
    while p < after and p[0] != c'}' and p[0] != c']':
        if keyed:
            stop = tw_string_end(p + 1, after, &escaped)
            if stop == NULL or escaped:
                return NULL
            edge = edge_of(program, node.keys, p + 1, stop - p - 1)
            p = tw_skip_space(stop + 1, after)
            p = tw_skip_space(p + 1, after)
        else:
            edge = _index(program, node.items, index)
            index += 1
        if edge != NULL:
            # A key that stands twice, or rows out of their order, are left to the fallback.
            if program.nodes[edge.node].registers & template.taken:
                return NULL
            if edge.turn >= 0:
                if edge.turn != next_turn:
                    return NULL
                next_turn += 1
        if edge != NULL and _is_plain(program, edge, p):
            literal = _body(template, program, &program.nodes[edge.node], literal, p, after)
        else:
            literal = _value(template, program, edge, literal, p, after)
        if literal == NULL:
            return NULL
        if edge != NULL:
            template.taken |= program.nodes[edge.node].registers
        p = tw_skip_value(p, after)
        p = tw_skip_space(p, after)
        if p < after and p[0] == c',':
            p = tw_skip_space(p + 1, after)
    return literal


cdef bint _is_plain(Bytecode program, Edge* edge, const uint8_t* p) noexcept nogil:
    """Whether the value at p only holds others, so that its steps can stand among its parent's."""
    cdef NodeOp* node = &program.nodes[edge.node]
    if node.gives_rows or node.observe >= 0 or node.fills.n or node.actions.n:
        return False
    if p[0] == c'{':
        return node.keys.n > 0
    return p[0] == c'[' and node.items.n > 0 and node.each < 0 and not node.from_end


cdef bint _learn(Template* template, Bytecode program, NodeOp* node, const uint8_t* p,
                 const uint8_t* after) noexcept nogil:
    cdef const uint8_t* literal = _body(template, program, node, p, p, after)
    if literal == NULL or template.n_steps == MAX_STEPS:
        return False
    template.steps[template.n_steps].kind = STEP_END
    template.steps[template.n_steps].reg = 0
    return _add(template, literal, after)


cdef bint learn(Template* template, Bytecode program, Register* registers, NodeOp* node,
                const uint8_t* p, const uint8_t* after) noexcept nogil:
    cdef int i
    template.misses += 1
    if template.misses < template.misses_to_learn:
        return False
    template.misses_to_learn = 0 if template.misses < MOST_MISSES else 2 * template.misses
    template.n_steps = 0
    template.taken = 0
    template.flat = True
    template.direct = False
    if not _learn(template, program, node, p, after):
        template.n_steps = 0
    for i in range(template.n_steps):
        template.steps[i].place = &registers[template.steps[i].reg]
    return True
