"use strict";
/* A table where rules and network run in the Python program that served this page. */

class RemoteTable {
  constructor(data) {
    this.data = data;
  }

  async start(seed, players) {
    const answer = await this.ask("start", { seed, players });
    this.match = answer.match;
    return answer.frames;
  }

  async step(person, epsilon) {
    return (await this.ask("step", { match: this.match, person, epsilon })).frames;
  }

  async ask(what, question) {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) };
    let answer;
    try {
      answer = await fetch(what, options);
    } catch {
      throw new Error("The program behind this page has ended. Start it again, and open the address that it prints.");
    }
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }
}
