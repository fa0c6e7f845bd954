// The usual way to send signed mail in Node: nodemailer's pool. It keeps nothing.
// node send.js < JOB; says how many seconds passed from the first message to the last answer.
"use strict";

const { readFileSync } = require("node:fs");
const nodemailer = require("nodemailer");

const job = JSON.parse(readFileSync(0, "utf8"));

const transport = nodemailer.createTransport({
  pool: true,
  host: "127.0.0.1",
  port: job.port,
  secure: false,
  ignoreTLS: true,
  maxConnections: job.connections,
  maxMessages: Infinity,
  dkim: job.pem && { domainName: job.domain, keySelector: "s1", privateKey: job.pem },
});

const filled = (template, name) => template.replaceAll("{{ name }}", name);

async function worker(queue) {
  for (const number of queue) {
    const name = `山田${number}`;
    await transport.sendMail({
      from: job.from,
      to: `r${number}@example.com`,
      subject: filled(job.subject, name),
      text: filled(job.text, name),
      html: filled(job.html, name),
      headers: {
        "List-Unsubscribe": `<https://gw.example.jp/u/${number}>`,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
      },
    });
  }
}

async function main() {
  const numbers = Array.from({ length: job.count }, (_, number) => number).values();
  const began = performance.now();
  // Twice as many as there are connections: none of them ever waits for a message.
  await Promise.all(Array.from({ length: 2 * job.connections }, () => worker(numbers)));
  process.stdout.write(JSON.stringify({ seconds: (performance.now() - began) / 1000 }));
  transport.close();
}

main();
