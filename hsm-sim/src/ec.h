/* What ec.c and sm2.c share. */
#ifndef HSM_SIM_EC_H
#define HSM_SIM_EC_H

#include <openssl/bn.h>
#include <openssl/ec.h>

#include "crypto.h"

const EC_GROUP *sim_ec_group(sim_curve curve);
const BIGNUM *sim_ec_order(sim_curve curve);
/* 1 … n - 1 */
bool sim_ec_scalar_valid(sim_curve curve, const BIGNUM *scalar);
BIGNUM *sim_ec_random_scalar(sim_curve curve);
/* NULL when the bytes are no point of the curve other than infinity. */
EC_POINT *sim_ec_point(sim_curve curve, const uint8_t bytes[65], BN_CTX *context);

#endif
