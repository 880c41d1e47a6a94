"""An app of Flask as its users write one: `python flask_app.py PORT`."""

import sys

from flask import Flask, request

app = Flask(__name__)
taken: list[str] = []


@app.post("/")
@app.post("/hooks")
@app.post("/slashed/")
def take() -> str:
    taken.append(request.full_path.removesuffix("?"))
    return "taken"


@app.post("/broken")
def broken() -> str:
    raise KeyError("no such room")


@app.get("/taken")
def show() -> list[str]:
    return taken


app.run(port=int(sys.argv[1]), debug=True, use_reloader=False)
