// Copyright 2026 The discountd Authors
// SPDX-License-Identifier: Apache-2.0

// A coupon that can be redeemed once is redeemed, and refused the second time.
//
//     npm start [address]

import { randomUUID } from "node:crypto";

import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { CouponService } from "./gen/discount/v1/coupon_service_pb.js";
import {
  IneligibilityReason,
  RedemptionRefusedSchema,
} from "./gen/discount/v1/ineligibility_pb.js";
import { RedemptionService } from "./gen/discount/v1/redemption_service_pb.js";
import { ErrorInfoSchema } from "./gen/error_details_pb.js";

const address = process.argv[2] ?? "127.0.0.1:50051";
const transport = createGrpcTransport({
  baseUrl: `http://${address}`,
  defaultTimeoutMs: 10_000,
});
const coupons = createClient(CouponService, transport);
const redemptions = createClient(RedemptionService, transport);

// 25 % off, once. Sent again with the same request id, nothing is created
// twice.
const { coupon } = await coupons.createCoupon({
  requestId: randomUUID(),
  coupon: {
    displayName: "A quarter off",
    discount: { case: "percentOff", value: { basisPoints: 2500 } },
    maxRedemptions: 1n,
  },
});

// No code is given, so one is generated.
const { promotionCode } = await coupons.createPromotionCode({
  parent: coupon!.name,
  promotionCode: {},
  requestId: randomUUID(),
});
const source = { case: "code", value: promotionCode!.code } as const;

const order = {
  id: "order-1",
  currencyCode: "EUR",
  lines: [
    { productId: "shirt", unitAmountMinor: 2000n, quantity: 2n },
    { productId: "socks", unitAmountMinor: 599n, quantity: 1n },
  ],
};

// Is the code good, and for how much?
const { valid, discount } = await redemptions.validateCode({ source, order });
console.log(`valid: ${valid}, ${discount?.totalAmountMinor} cents off`);

// Take it. A retry with the same request id returns the same redemption.
const { redemption } = await redemptions.redeem({ requestId: randomUUID(), source, order });
console.log(`redeemed: ${redemption?.discount?.totalAmountMinor} cents off`);

// Another request is one redemption too many. The details say why.
try {
  await redemptions.redeem({ requestId: randomUUID(), source, order });
} catch (caught) {
  const error = ConnectError.from(caught);
  for (const info of error.findDetails(ErrorInfoSchema)) {
    console.log(`refused: ${info.reason} by ${info.domain}`);
  }
  for (const refused of error.findDetails(RedemptionRefusedSchema)) {
    for (const { reason, limit } of refused.ineligibilities) {
      console.log(`because: ${IneligibilityReason[reason]}, limit ${limit}`);
    }
  }
}
