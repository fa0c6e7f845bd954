"""What 景品表示法 (the Act against Unjustifiable Premiums) allows a premium to be worth, in yen.

Lotteries: 懸賞による景品類の提供に関する事項の制限 (昭和52年公正取引委員会告示第3号), 2 to 4.
Premiums for everybody: 一般消費者に対する景品類の提供に関する事項の制限 (同第5号), 1.
A discount is no premium (景品類等の指定の告示の運用基準, 6), unless it is what a lottery is for.
"""

_LOTTERY = 100_000
_LOTTERY_TIMES = 20
_JOINT = 300_000
_FOR_ALL_AT_LEAST = 200


def most_for_all(price: int) -> int:
    """The most that everybody who buys for ``price`` or more may get on top (総付景品)."""
    return max(_FOR_ALL_AT_LEAST, price * 2 // 10)


def most_of_lottery(price: int, *, joint: bool) -> int:
    """The most that one prize of a lottery (一般懸賞, or 共同懸賞) may be worth."""
    return _JOINT if joint else min(_LOTTERY_TIMES * price, _LOTTERY)


def percent_of_sales(*, joint: bool) -> int:
    """Per cent of the expected sales that all prizes of a lottery together may be worth."""
    return 3 if joint else 2


def most_of_all_prizes(expected_sales: int, *, joint: bool) -> int:
    """What all prizes of a lottery together may be worth."""
    return expected_sales * percent_of_sales(joint=joint) // 100
