// Uses what was installed, and says so.
const express = require("express");
const react = require("react");
const server = require("react-dom/server");
const typescript = require("typescript");

const page = server.renderToStaticMarkup(react.createElement("p", null, "hello"));
const script = typescript.transpile("const answer: number = 42;").trim();
const app = express();
app.get("/", (request, response) => response.send(page));
console.log("node works: " + page + " " + script);
