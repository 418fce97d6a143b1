#!/bin/sh
# An example set-up: one carrier, one buyer, one campaign with business hours, one number.
#
#   EDGE_URL=http://127.0.0.1:8080 EDGE_TOKEN=... sh config/example/set-up.sh
#
# Run it against a server that has none of this yet. Change the addresses to your own first: the
# carrier's signalling addresses, the buyer's PBX, and the number that the carrier sends you.
set -eu

: "${EDGE_TOKEN:?make one with: edge token create --role admin}"
url="${EDGE_URL:-http://127.0.0.1:8080}/api/v1"
carrier="${CARRIER:-203.0.113.10/32}"
buyer="${BUYER:-sip:sales@pbx.buyer.example}"
number="${NUMBER:-+18005550100}"

# create RESOURCE JSON: prints the id of the new object, or what the server said against it.
create() {
    if answer=$(curl --fail-with-body --silent --show-error "$url/$1" \
        --header "Authorization: Bearer $EDGE_TOKEN" \
        --header "Content-Type: application/json" \
        --data "$2"); then
        echo "$answer" | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'
    else
        echo "$1: $answer" >&2
        exit 1
    fi
}

trunk=$(create trunks '{
    "name": "Carrier",
    "addresses": ["'"$carrier"'"],
    "country": "US",
    "called_number_from": "request_uri"
}')

# At most 10 calls at once, and 200 a day by the buyer's own midnight.
target=$(create targets '{
    "name": "Buyer, sales desk",
    "address": "'"$buyer"'",
    "timezone": "America/Chicago",
    "max_calls": 10,
    "caps": [{"window": "day", "limit": 200, "counts_on": "connect"}],
    "headers": {"X-Campaign": "[campaign_name]"},
    "ring_timeout_s": 25
}')

campaign=$(create campaigns '{
    "name": "Roofing, autumn",
    "timezone": "America/New_York",
    "hours": {
        "timezone": "America/New_York",
        "weekly": {
            "mon": [["09:00", "17:00"]],
            "tue": [["09:00", "17:00"]],
            "wed": [["09:00", "17:00"]],
            "thu": [["09:00", "17:00"]],
            "fri": [["09:00", "12:00"], ["13:00", "17:00"]]
        },
        "holidays": [{"date": "2026-12-25", "name": "Christmas Day", "yearly": true}],
        "after_hours": {"action": "message"}
    },
    "routes": {
        "targets": [{"target_id": "'"$target"'", "priority": 1, "weight": 1}],
        "overflow": {"action": "message"}
    }
}')

number_id=$(create numbers '{
    "e164": "'"$number"'",
    "campaign_id": "'"$campaign"'",
    "tags": {"channel": "tv"},
    "caps": [{"window": "concurrency", "limit": 50, "on_cap": {"action": "reject"}}]
}')

echo "trunk    $trunk"
echo "target   $target"
echo "campaign $campaign"
echo "number   $number_id  $number"
