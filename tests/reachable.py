"""Exit 0 where the PostgreSQL and the Redis of the two URLs answer."""

import sys

import psycopg
import redis

try:
    psycopg.connect(sys.argv[1], connect_timeout=2).close()
    redis.Redis.from_url(sys.argv[2], socket_connect_timeout=2).ping()
except (psycopg.Error, redis.RedisError) as error:
    print(f"not reachable: {type(error).__name__}")
    sys.exit(1)
