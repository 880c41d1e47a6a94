"""An app of FastAPI as its users write one: `python fastapi_app.py PORT`."""

import sys

import uvicorn
from fastapi import FastAPI, Request

app = FastAPI()
taken: list[str] = []


@app.post("/")
@app.post("/hooks")
@app.post("/slashed/")
async def take(request: Request) -> str:
    query = request.url.query
    taken.append(request.url.path + (f"?{query}" if query else ""))
    return "taken"


@app.post("/broken")
async def broken() -> str:
    raise KeyError("no such room")


@app.get("/taken")
async def show() -> list[str]:
    return taken


uvicorn.run(app, port=int(sys.argv[1]))
