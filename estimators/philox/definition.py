"""The definition of the noise: constants shared by every implementation. See `docs/noise.md`.

A word is a function of (key, purpose, index). Philox4x32-10 (Salmon et al. 2011) turns the counter
(low 32 bits of C, high 32 bits of C, purpose, 0) under the key (low, high 32 bits of the key) into
four words. Words come in tiles of 64, those of 16 counters: word j of tile t is word j // 16 of
the counter C = 16 t + j % 16.

Normal numbers (purpose 0), 64 a tile: the words u = word j and v = word j + 16, j in 0..15 and
32..47, give entries j and j + 16 by Box and Muller's transform in float32, each operation rounded
to nearest by itself (no fused multiply-add):

    x = float32(u) + 1/2                            U = x / 2^32 in (0, 1]
    e = (bits(x) - 0x3F2AAAAB) >> 23,  f = x / 2^e - 1 in [-1/3, 1/3)
    P = ((L7 f + L6) f2 + (L5 f + L4)) f4 + ((L3 f + L2) f2 + (L1 f + L0)),  f2 = f f, f4 = f2 f2
    r = sqrt((32 - e) TWO_LOG_2 + f P)              sqrt(-2 log U)
    s = float32(int32(v << 2)) / 2^31 in [-1, 1],  y = s s
    a = (((S3 y + S2) y + S1) y + S0) s r           r sin(pi s / 4)
    c = (((C3 y + C2) y + C1) y + C0) r             r cos(pi s / 4), negated if bit 30 of v is set
    entries j, j + 16 = (a, c) if bit 31 of v is set, else (c, a)

Fields of b bits (signs: b = 1, purpose 1; b = 16, purpose 2; b = 32, purpose 3), 64 * 32 / b a
tile: entry i of a tile is field i // 64 of word i % 64, fields counted from the lowest bits. A
sign is +1 where its bit is 0, -1 where it is 1.
"""

ROUNDS = 10
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
KEY_STEPS = 0x9E3779B9, 0xBB67AE85

COUNTERS = 16  # a tile: a vector of the widest CPUs
TILE = 4 * COUNTERS

# Purposes, the third word of a counter, and the bits that an entry takes.
NORMAL, SIGN, BITS16, BITS32 = range(4)
BITS = {NORMAL: 32, SIGN: 1, BITS16: 16, BITS32: 32}

SPLIT = 0x3F2AAAAB  # float32(2/3) as an integer
# -2 log(1 + f) = f P(f) on [-1/3, 1/3), minimax, relative error 1.7e-7.
LOG = (
    -1.9999996423721313,
    0.9999987483024597,
    -0.6667597889900208,
    0.5001524090766907,
    -0.39590075612068176,
    0.32840168480104736,
    -0.3422236144542694,
    0.30731406807899475,
)
TWO_LOG_2 = 1.3862943649291992
# sin(pi s / 4) / s and cos(pi s / 4) as polynomials in s^2 on [0, 1], relative errors 4e-9, 4e-8.
SIN = (0.7853981852531433, -0.08074543625116348, 0.00249000103212893, -3.59504520019982e-05)
COS = (0.9999999403953552, -0.308424174785614, 0.015849683433771133, -0.00031872783438302577)

GRAM_CHUNK = 1 << 15  # entries whose products are summed by themselves in a Gram matrix
