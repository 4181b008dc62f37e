"""Health is what the database says."""

import httpx


async def test_the_process_is_healthy_while_the_database_answers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_the_process_is_unwell_without_a_database(broken: httpx.AsyncClient) -> None:
    answer = await broken.get("/health")
    assert (answer.status_code, answer.json()) == (503, {"status": "the database doesn't answer"})
