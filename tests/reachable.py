"""Exit 0 where the PostgreSQL and the Redis of the URLs answer; without a second URL, the PostgreSQL alone."""

import sys

import psycopg
import redis


def why_not(postgres: str, redis_url: str = "") -> str:
    """An empty string where they answer, else the name of the error."""
    try:
        psycopg.connect(postgres, connect_timeout=2).close()
        if redis_url:
            redis.Redis.from_url(redis_url, socket_connect_timeout=2).ping()
    except (psycopg.Error, redis.RedisError) as error:
        return type(error).__name__
    return ""


if __name__ == "__main__" and (reason := why_not(*sys.argv[1:3])):
    print(f"not reachable: {reason}")
    sys.exit(1)
