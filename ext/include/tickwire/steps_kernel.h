/* The loop over steps. `steps.h` includes this file once for each level of SIMD, with the macros
 * that name the kernels, their target and what they read literals, strings and numbers with; it
 * takes them back. So it has no guard.
 */

TW_KERNEL_TARGET static inline __attribute__((always_inline)) const uint8_t *TW_KERNEL(tw_loop)(
    const tw_step *steps, int *at, const uint8_t *p, const uint8_t *end, tw_register *registers,
    uint64_t *have, int *stop, tw_rows *rows, const bool is_row, const bool is_many) {
    const tw_step *step = steps + *at;
    uint64_t known = step->before; /* whoever was here before has seen to these registers */
    const tw_word *word;
    const uint8_t *after;
    tw_register *reg;
    int64_t row = is_row ? rows->row : 0;
    int reason = TW_STOP_MISS;
    for (;; step++) {
        if (!TW_LITERAL(p, end, step)) goto out;
        p += step->n;
        reg = registers + step->reg;
        switch (step->kind) {
        case TW_STEP_SKIP_STRING:
            p = TW_STRING(p, end);
            if (p == NULL) goto out;
            continue;
        case TW_STEP_F64:
            after = TW_F64(p, end, &reg->value.f);
            if (after == NULL) goto rule;
            if (is_row) ((tw_bits *)step->column)[row & step->slots] = reg->value;
            p = after;
            continue;
        case TW_STEP_INTEGER:
            after = TW_INTEGER(p, end, &reg->value.i);
            if (after == NULL || (step->is_int32 && reg->value.i > INT32_MAX)) goto rule;
            if (is_row) tw_store(step, reg, row);
            p = after;
            continue;
        case TW_STEP_TIME:
            after = TW_INTEGER(p, end, &reg->value.i);
            if (after == NULL || reg->value.i > TW_MOST_MILLISECONDS ||
                step->unit_ns > TW_NS_PER_MS)
                goto rule;
            reg->value.i *= step->unit_ns;
            if (is_row) ((tw_bits *)step->column)[row & step->slots] = reg->value;
            p = after;
            continue;
        case TW_STEP_DIGITS:
            after = TW_INTEGER(p, end, &reg->value.i);
            reg->is_number = 1;
            break;
        case TW_STEP_TEXT:
            after = TW_STRING(p, end);
            reg->is_number = 0;
            break;
        case TW_STEP_OBSERVE: /* with its quotes */
            after = TW_STRING(p, end);
            if (after == NULL) goto out;
            reg->p = p - 1;
            reg->n = (size_t)(after - p + 2);
            reg->escaped = 0;
            p = after;
            continue;
        case TW_STEP_CODE:
        case TW_STEP_CHOICE:
            word = tw_word_at(p, end, step);
            if (word == NULL) {
                reason = step->kind == TW_STEP_CODE ? TW_STOP_CODE : TW_STOP_RULE;
                goto out;
            }
            reg->value.i = word->result;
            if (is_row) tw_store(step, reg, row);
            p += word->length;
            continue;
        case TW_STEP_SKIP: /* white space or a bracket may stand here as well */
            p = p < end && tw_same_form(step->first, *p) ? tw_skip_value(p, end) : NULL;
            if (p == NULL) goto out;
            continue;
        case TW_STEP_NODE:
            if (p < end && tw_same_form(step->first, *p)) reason = TW_STOP_NODE;
            goto out;
        case TW_STEP_END:
            reason = TW_STOP_END;
            if (!is_many) goto out;
            reason = TW_STOP_MISS;
            if (p >= end || (*p != ',' && *p != ']')) goto out;
            row++;
            rows->element = p + 1;
            if (*p++ == ']') {
                reason = TW_STOP_END;
                goto out;
            }
            if (row == rows->last) goto out;
            step = steps - 1;
            known = 0;
            continue;
        default:
            goto rule;
        }
        /* A text. */
        if (after == NULL) goto out;
        reg->p = p;
        reg->n = (size_t)(after - p);
        reg->escaped = 0;
        if (is_row && !tw_store(step, reg, row)) goto out;
        p = after;
    }
rule:
    reason = TW_STOP_RULE;
out:
    *have |= step->before & ~known;
    *stop = reason;
    *at = (int)(step - steps);
    if (is_row) rows->row = row;
    return p;
}

TW_KERNEL_TARGET static const uint8_t *TW_KERNEL(tw_run)(const tw_step *steps, int *at,
                                                         const uint8_t *p, const uint8_t *end,
                                                         tw_register *registers, uint64_t *have,
                                                         int *stop, tw_rows *rows) {
    return TW_KERNEL(tw_loop)(steps, at, p, end, registers, have, stop, rows, false, false);
}

TW_KERNEL_TARGET static const uint8_t *TW_KERNEL(tw_row)(const tw_step *steps, int *at,
                                                         const uint8_t *p, const uint8_t *end,
                                                         tw_register *registers, uint64_t *have,
                                                         int *stop, tw_rows *rows) {
    return TW_KERNEL(tw_loop)(steps, at, p, end, registers, have, stop, rows, true, false);
}

TW_KERNEL_TARGET static const uint8_t *TW_KERNEL(tw_many)(const tw_step *steps, int *at,
                                                          const uint8_t *p, const uint8_t *end,
                                                          tw_register *registers, uint64_t *have,
                                                          int *stop, tw_rows *rows) {
    return TW_KERNEL(tw_loop)(steps, at, p, end, registers, have, stop, rows, true, true);
}

#undef TW_KERNEL
#undef TW_KERNEL_TARGET
#undef TW_LITERAL
#undef TW_STRING
#undef TW_F64
#undef TW_INTEGER
