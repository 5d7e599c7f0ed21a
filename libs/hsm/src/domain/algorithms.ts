export type SymmetricAlgorithm = '3des2' | 'aes128';
export type AsymmetricAlgorithm = 'p256' | 'rsa2048';
/** zero3: first 3 bytes of E(K, 0…0). cmac5: first 5 bytes of CMAC(K, 0…0). */
export type KcvMethod = 'zero3' | 'cmac5';
