// Node with undici's pool, 100 connections. `node undici.mjs CSV TEMPLATE URL RESULTS`, with undici installed beside it.
//
// Node has no engine for Jinja templates, so the text is a template literal, which is faster than any engine.
import { createReadStream, createWriteStream } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Pool } from "undici";

const [recipients, , url, results] = process.argv.slice(2);
const { origin, pathname } = new URL(url);
const CONCURRENCY = 100;
const pool = new Pool(origin, { connections: CONCURRENCY });
const headers = { authorization: "Bearer bench-key", "content-type": "application/json" };

const titled = (words) => words.toLowerCase().replace(/\b[a-z]/g, (letter) => letter.toUpperCase());

function textOf(row) {
  const shown = row.city ? ` Show this in ${row.city}.` : "";
  return `Hi ${titled(row.first_name)}, your ${row.tier} points are worth ${row.points} until ${row.until}.${shown} Reply STOP to opt out.`;
}

async function* rows() {
  let header;
  for await (const line of createInterface({ input: createReadStream(recipients) })) {
    const cells = line.split(","); // this file quotes nothing
    if (header) yield Object.fromEntries(header.map((name, index) => [name, cells[index]]));
    else header = cells;
  }
}

const target = createWriteStream(results);
target.write("destination,status,umid,error\n");
const source = rows();

async function send() {
  for (let { value: row, done } = await source.next(); !done; { value: row, done } = await source.next()) {
    const body = JSON.stringify({
      destination: row.mobile,
      text: textOf(row),
      clientMessageId: `spring-sale.main.${row.customer}`,
      encoding: "AUTO",
    });
    try {
      const response = await pool.request({ path: pathname, method: "POST", headers, body });
      const answer = await response.body.json();
      target.write(`${row.mobile},${answer.status.code},${answer.umid},\n`);
    } catch (error) {
      target.write(`${row.mobile},failed,,"${String(error).replaceAll('"', '""')}"\n`);
    }
  }
}

await Promise.all(Array.from({ length: CONCURRENCY }, send));
await pool.close();
target.end();
await once(target, "finish");
