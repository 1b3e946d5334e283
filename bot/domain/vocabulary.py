"""The closed word lists of the contract. Adding a word here is a change of the contract."""

from enum import StrEnum
from typing import Literal, NewType, get_args

IntentName = Literal[
    "explain_charge",
    "stop_auto_renewal",
    "report_duplicate_charge",
    "request_refund",
    "check_refund",
    "fix_payment_failure",
    "request_invoice",
    "fix_coupon",
    "check_order",
    "track_shipment",
    "cancel_order",
    "change_address",
    "return_or_exchange",
    "report_item_problem",
    "recover_account",
    "ask_about_product",
    "talk_to_human",
    "complain",
    "greet",
    "thank",
    "affirm",
    "deny",
    "out_of_scope",
]
INTENTS: tuple[IntentName, ...] = get_args(IntentName)

Page = Literal[
    "charge_notice",
    "subscription",
    "order_detail",
    "order_list",
    "payment_result",
    "refund",
    "logistics",
    "coupon",
    "product",
    "receipt",
    "chat",
    "error",
    "other",
]
PAGES: tuple[Page, ...] = get_args(Page)

FactName = Literal[
    "amount",
    "refund_amount",
    "item_price",
    "discount",
    "order_no",
    "transaction_no",
    "tracking_no",
    "charged_at",
    "ordered_at",
    "refunded_at",
    "next_charge_at",
    "expected_at",
    "merchant",
    "product",
    "plan",
    "payment_method",
    "carrier",
    "auto_renewal",
    "order_status",
    "payment_status",
    "refund_status",
    "shipment_status",
    "coupon_status",
    "error_code",
    "error_message",
    "phone",
    "person",
    "address",
    "id_number",
    "card_number",
]
FACTS: tuple[FactName, ...] = get_args(FactName)

MONEY_FACTS: frozenset[FactName] = frozenset({"amount", "refund_amount", "item_price", "discount"})
TIME_FACTS: frozenset[FactName] = frozenset(
    {"charged_at", "ordered_at", "refunded_at", "next_charge_at", "expected_at"}
)
NUMBER_FACTS: frozenset[FactName] = frozenset({"order_no", "transaction_no", "tracking_no"})
PERSONAL_FACTS: frozenset[FactName] = frozenset({"phone", "person", "address", "id_number", "card_number"})

Flag = Literal["blurred", "dark", "cropped", "edited", "instructions", "unsafe", "unreadable"]
PageLanguage = Literal["zh", "en"]


class Language(StrEnum):
    """The language and script that a customer writes."""

    ZH_HANS = "zh-Hans"
    ZH_HANT = "zh-Hant"
    EN = "en"


OrderStatus = Literal[
    "unpaid",
    "paid",
    "to_ship",
    "shipped",
    "delivered",
    "completed",
    "cancelled",
    "refunding",
    "refunded",
    "closed",
]
PaymentStatus = Literal["success", "failed", "pending"]
RefundStatus = Literal["requested", "processing", "approved", "rejected", "refunded"]
ShipmentStatus = Literal["collected", "in_transit", "out_for_delivery", "delivered", "exception"]
CouponStatus = Literal["usable", "used", "expired", "not_applicable"]
RenewalState = Literal["on", "off"]
ManagedBy = Literal["shop", "app_store", "google_play"]

ActionName = Literal[
    "stop_auto_renewal", "request_refund", "cancel_order", "change_address", "open_return", "send_invoice"
]
ActionStatus = Literal["proposed", "pending", "done", "refused", "failed"]
Verdict = Literal["match", "mismatch", "not_found"]
HandoffReason = Literal["asked", "no_answer", "low_confidence", "angry", "policy", "failure"]

SessionId = NewType("SessionId", str)
CustomerId = NewType("CustomerId", str)
PictureId = NewType("PictureId", str)
ActionId = NewType("ActionId", str)
RecordRef = NewType("RecordRef", str)
"""A record as evidence names it: its kind and its number, ``charge CH-1``."""
