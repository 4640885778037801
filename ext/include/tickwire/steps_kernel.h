/* The loop over steps. `steps.h` includes this file once for each level of SIMD, with the macros
 * that name the kernels, their target and what they read literals, strings and numbers with; it
 * takes them back. So it has no guard.
 */

TW_KERNEL_TARGET static inline __attribute__((always_inline)) const uint8_t *TW_KERNEL(tw_loop)(
    const tw_step *steps, int *at, const uint8_t *p, const uint8_t *end, tw_register *registers,
    uint64_t *have, int *stop, const bool is_row, int64_t head, int64_t mask) {
    uint64_t found = 0;
    const tw_step *step = steps + *at;
    const tw_word *word;
    const uint8_t *after;
    tw_register *reg;
    int reason = TW_STOP_MISS;
    for (;; step++) {
        if (!TW_LITERAL(p, end, step)) break;
        p += step->n;
        reg = registers + step->reg;
        switch (step->kind) {
        case TW_STEP_SKIP_STRING:
            after = TW_STRING(p, end);
            if (after == NULL) goto out;
            p = after;
            continue;
        case TW_STEP_F64:
            after = TW_F64(p, end, &reg->value.f);
            if (after == NULL) goto rule;
            if (is_row) tw_store(step, reg, head, mask);
            break;
        case TW_STEP_INTEGER:
            after = TW_INTEGER(p, end, &reg->value.i);
            if (after == NULL || (step->is_int32 && reg->value.i > INT32_MAX)) goto rule;
            if (is_row) tw_store(step, reg, head, mask);
            break;
        case TW_STEP_TIME:
            after = TW_INTEGER(p, end, &reg->value.i);
            if (after == NULL || reg->value.i > TW_MOST_MILLISECONDS ||
                step->unit_ns > TW_NS_PER_MS)
                goto rule;
            reg->value.i *= step->unit_ns;
            if (is_row) tw_store(step, reg, head, mask);
            break;
        case TW_STEP_DIGITS:
        case TW_STEP_TEXT:
        case TW_STEP_OBSERVE:
            reg->is_number = step->kind == TW_STEP_DIGITS;
            after = reg->is_number ? TW_INTEGER(p, end, &reg->value.i) : TW_STRING(p, end);
            if (after == NULL) goto out;
            reg->p = p;
            reg->n = (size_t)(after - p);
            reg->escaped = 0;
            if (step->kind == TW_STEP_OBSERVE) { /* with its quotes */
                reg->p -= 1;
                reg->n += 2;
            } else if (is_row && !tw_store(step, reg, head, mask)) {
                goto out;
            }
            break;
        case TW_STEP_CODE:
        case TW_STEP_CHOICE:
            word = tw_word_at(p, end, step);
            if (word == NULL) {
                if (step->kind == TW_STEP_CHOICE) goto rule;
                reason = TW_STOP_CODE;
                goto out;
            }
            reg->value.i = word->result;
            after = p + word->length;
            if (is_row) tw_store(step, reg, head, mask);
            break;
        case TW_STEP_SKIP: /* white space or a bracket may stand here as well */
            if (p >= end || !tw_same_form(step->first, *p)) goto out;
            after = tw_skip_value(p, end);
            if (after == NULL) goto out;
            p = after;
            continue;
        case TW_STEP_NODE:
            if (p < end && tw_same_form(step->first, *p)) reason = TW_STOP_NODE;
            goto out;
        case TW_STEP_END:
            reason = TW_STOP_END;
            goto out;
        default:
            goto rule;
        }
        found |= 1ULL << step->reg;
        p = after;
    }
    goto out;
rule:
    reason = TW_STOP_RULE;
out:
    *have |= found;
    *at = (int)(step - steps);
    *stop = reason;
    return p;
}

TW_KERNEL_TARGET static const uint8_t *TW_KERNEL(tw_run)(const tw_step *steps, int *at,
                                                         const uint8_t *p, const uint8_t *end,
                                                         tw_register *registers, uint64_t *have,
                                                         int *stop) {
    return TW_KERNEL(tw_loop)(steps, at, p, end, registers, have, stop, false, 0, 0);
}

TW_KERNEL_TARGET static const uint8_t *TW_KERNEL(tw_row)(const tw_step *steps, int *at,
                                                         const uint8_t *p, const uint8_t *end,
                                                         tw_register *registers, uint64_t *have,
                                                         int *stop, int64_t head, int64_t mask) {
    return TW_KERNEL(tw_loop)(steps, at, p, end, registers, have, stop, true, head, mask);
}

#undef TW_KERNEL
#undef TW_KERNEL_TARGET
#undef TW_LITERAL
#undef TW_STRING
#undef TW_F64
#undef TW_INTEGER
