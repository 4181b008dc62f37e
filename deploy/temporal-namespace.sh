#!/bin/sh
# Create the namespace and the search attributes of Serienmail's workflows. Safe to repeat.
set -eu

namespace=${TEMPORAL_NAMESPACE:-default}

until temporal operator cluster health; do  # the port opens before the server can answer
    sleep 2
done

temporal operator namespace describe --namespace "$namespace" ||
    temporal operator namespace create --namespace "$namespace" --retention 90d  # how long the UI shows what has ended

until temporal operator search-attribute list --namespace "$namespace" >/dev/null 2>&1; do  # a new one takes seconds
    sleep 2
done
# One call for each: of several names in one call only the first is created (seen with temporal 1.9.1).
attribute() {
    temporal operator search-attribute create --namespace "$namespace" --name "$1" --type "$2"
}

attribute MassMailState Keyword
attribute MassMailOwner Keyword
attribute MassMailId Keyword
attribute ScheduledAt Datetime
