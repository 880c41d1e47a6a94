// An app of Express as its users write one: `node express_app.js PORT`.
const express = require("express");

const app = express();
const taken = [];

app.post(["/", "/hooks", "/slashed/"], (request, response) => {
  taken.push(request.originalUrl);
  response.send("taken");
});

app.post("/broken", (request, response) => {
  throw new Error("no such room");
});

app.get("/taken", (request, response) => response.json(taken));

app.listen(Number(process.argv[2]), "localhost");
