"""Pages that people open: coupons, shop cards, surveys.

``base`` is what all of them are made with: markup that escapes by itself, one layout, Japanese and
English, strict headers, and errors that a person can read. A room declares its own in a class with
``routes()``.
"""
