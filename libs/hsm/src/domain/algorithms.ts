export const SYMMETRIC_ALGORITHMS = ['3des2', 'aes128', 'sm4'] as const;
export type SymmetricAlgorithm = (typeof SYMMETRIC_ALGORITHMS)[number];
export const ASYMMETRIC_ALGORITHMS = ['p256', 'rsa2048', 'sm2'] as const;
export type AsymmetricAlgorithm = (typeof ASYMMETRIC_ALGORITHMS)[number];
/** zero3, zero4: first 3 or 4 bytes of E(K, 0…0). cmac5: first 5 bytes of CMAC(K, 0…0). */
export const KCV_METHODS = ['zero3', 'zero4', 'cmac5'] as const;
export type KcvMethod = (typeof KCV_METHODS)[number];
/**
 * How an SM4 card makes its purchase session key, which is not published for social-security cards: E(K, X ‖ ~X) or
 * E(K, X ‖ 00×8). A 3DES card has one form, E3(K, X).
 */
export const SM4_SESSION_FORMS = ['complement', 'zeros'] as const;
export type Sm4SessionForm = (typeof SM4_SESSION_FORMS)[number];
