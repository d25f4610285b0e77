"""The only floor that speaks SQL.

All floors above know `protocol` (what is asked), `records` (what is answered), `loading` (which
rows a batch needs), `ownership` and `peers` (a gateway among others). There are two entrances, and
both choose between `sqlite` and `postgres`: `opened` for a gateway, `administration` for operators'
commands. What these two share is in `sql`; what commands alone need is in their `admin`.
"""
