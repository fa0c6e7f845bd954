// The usual way to answer a voice webhook in Node: one durable commit a call.
// node server.js PORT DATABASE PUBLIC_URL AUTH_TOKEN
"use strict";

const Database = require("better-sqlite3");
const express = require("express");
const twilio = require("twilio");

const [port, path, publicUrl, token] = process.argv.slice(2);

const database = new Database(path);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");
database.exec(`
  CREATE TABLE calls (
    sid TEXT PRIMARY KEY, number TEXT NOT NULL, caller TEXT, status TEXT NOT NULL,
    received_at INTEGER NOT NULL
  );
  CREATE TABLE events (
    sid TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (sid, kind)
  );
`);
const keepCall = database.prepare("INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?)");
const keepEvent = database.prepare("INSERT OR IGNORE INTO events VALUES (?, 'voice', ?)");
const keep = database.transaction((call) => {
  keepCall.run(call.CallSid, call.To, call.From, call.CallStatus, Date.now());
  keepEvent.run(call.CallSid, JSON.stringify(call));
});

const { host, protocol } = new URL(publicUrl);
const signed = twilio.webhook({ host, protocol: protocol.slice(0, -1) }, token);

const app = express();
app.post("/twilio/voice", express.urlencoded({ extended: false }), signed, (request, response) => {
  keep(request.body);
  const document = new twilio.twiml.VoiceResponse();
  const dial = document.dial({ action: `${publicUrl}/twilio/dial`, answerOnBridge: true });
  dial.number(
    {
      statusCallback: `${publicUrl}/twilio/status`,
      statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
    },
    "+81312345678",
  );
  response.type("text/xml").send(document.toString());
});
app.listen(Number(port), "127.0.0.1");
