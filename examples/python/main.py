# Copyright 2026 The discountd Authors
# SPDX-License-Identifier: Apache-2.0

"""A coupon that can be redeemed once is redeemed, and refused the second time.

python main.py [address]
"""

import sys
import uuid

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from discount.v1 import (
    coupon_pb2,
    coupon_service_pb2,
    coupon_service_pb2_grpc,
    discount_pb2,
    ineligibility_pb2,
    order_pb2,
    redemption_service_pb2,
    redemption_service_pb2_grpc,
)


def main(address: str = "127.0.0.1:50051") -> None:
    with grpc.insecure_channel(address) as channel:
        run(channel)


def run(channel: grpc.Channel) -> None:
    coupons = coupon_service_pb2_grpc.CouponServiceStub(channel)
    redemptions = redemption_service_pb2_grpc.RedemptionServiceStub(channel)

    # 25 % off, once. Sent again with the same request id, nothing is created
    # twice.
    coupon = coupons.CreateCoupon(
        coupon_service_pb2.CreateCouponRequest(
            request_id=str(uuid.uuid4()),
            coupon=coupon_pb2.Coupon(
                display_name="A quarter off",
                percent_off=discount_pb2.PercentOff(basis_points=2500),
                max_redemptions=1,
            ),
        ),
        timeout=10,
    ).coupon

    # No code is given, so one is generated.
    code = coupons.CreatePromotionCode(
        coupon_service_pb2.CreatePromotionCodeRequest(
            parent=coupon.name,
            promotion_code={},
            request_id=str(uuid.uuid4()),
        ),
        timeout=10,
    ).promotion_code.code

    order = order_pb2.Order(
        id="order-1",
        currency_code="EUR",
        lines=[
            order_pb2.OrderLine(product_id="shirt", unit_amount_minor=2000, quantity=2),
            order_pb2.OrderLine(product_id="socks", unit_amount_minor=599, quantity=1),
        ],
    )

    # Is the code good, and for how much?
    answer = redemptions.ValidateCode(
        redemption_service_pb2.ValidateCodeRequest(code=code, order=order), timeout=10
    )
    print(f"valid: {str(answer.valid).lower()}, {answer.discount.total_amount_minor} cents off")

    # Take it. A retry with the same request id returns the same redemption.
    request = redemption_service_pb2.RedeemRequest(
        request_id=str(uuid.uuid4()), code=code, order=order
    )
    redemption = redemptions.Redeem(request, timeout=10).redemption
    print(f"redeemed: {redemption.discount.total_amount_minor} cents off")

    # Another request is one redemption too many. The details say why.
    request.request_id = str(uuid.uuid4())
    try:
        redemptions.Redeem(request, timeout=10)
    except grpc.RpcError as error:
        info = error_details_pb2.ErrorInfo()
        refused = ineligibility_pb2.RedemptionRefused()
        for detail in rpc_status.from_call(error).details:
            if detail.Unpack(info):
                print(f"refused: {info.reason} by {info.domain}")
            elif detail.Unpack(refused):
                for each in refused.ineligibilities:
                    reason = ineligibility_pb2.IneligibilityReason.Name(each.reason)
                    print(f"because: {reason}, limit {each.limit}")


if __name__ == "__main__":
    main(*sys.argv[1:])
