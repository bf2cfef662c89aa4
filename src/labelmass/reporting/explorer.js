"use strict";
// The threshold explorer. It reads the numbers of the page, keeps what is moved in memory, and
// saves a policy file when asked. Outcomes are those of labelmass.decide: see decisions.py.
(() => {
  const BELOW = 0, REVIEW = 1, ABOVE = 2;
  const ACTIONS = ["allow", "flag", "review", "block"];
  const Z2 = 1.959963984540054 ** 2;
  const TOPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
  const STEPS = 200;
  const SHARES = {
    precision: "precision", recall: "recall", false_positives: "false-positive rate",
    given: "given", review: "in review",
  };

  // -- what the policy does ---------------------------------------------------------------------

  const outcome = (score, rule) =>
    score >= rule.threshold ? ABOVE : score >= rule.review ? REVIEW : BELOW;

  const settle = (one, at, rule, straddle) => {
    const p = one.p[at];
    if (p === null) return REVIEW;
    const bottom = outcome(one.low ? one.low[at] : p, rule);
    const high = one.ceiling || one.high;
    const top = outcome(high ? high[at] : p, rule);
    if (bottom === top || straddle === "point") return outcome(p, rule);
    return straddle === "review" ? REVIEW : straddle === "low" ? bottom : top;
  };

  // silent: whether too little of the record gives a verdict, so that it is not let pass.
  const closed = (found, silent) => (silent && found === BELOW ? REVIEW : found);

  const share = (part, whole) => ({ part, whole });

  // Shares of one label: of the gold of the records, which of them are given it, are in review.
  const count = (gold, outcomes) => {
    let given = 0, review = 0, right = 0, wrong = 0, yes = 0, no = 0;
    gold.forEach((truth, at) => {
      const above = outcomes[at] === ABOVE;
      given += above;
      review += outcomes[at] === REVIEW;
      yes += truth === 1;
      no += truth === 0;
      right += above && truth === 1;
      wrong += above && truth === 0;
    });
    return {
      precision: share(right, right + wrong), recall: share(right, yes),
      false_positives: share(wrong, no), given: share(given, gold.length),
      review: share(review, gold.length),
    };
  };

  const say = ({ part, whole }) => {
    if (!whole) return ["n/a", `(${part} of ${whole})`];
    const middle = (part + Z2 / 2) / (whole + Z2);
    const half = Math.sqrt(Z2 * ((part * (whole - part)) / whole + Z2 / 4)) / (whole + Z2);
    const ends = [Math.max(middle - half, 0), Math.min(middle + half, 1)].map((x) => x.toFixed(3));
    return [(part / whole).toFixed(3), `(${part} of ${whole}; ${ends.join(" to ")})`];
  };

  // -- elements -----------------------------------------------------------------------------------

  const fill = (one, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
    one.append(...children);
    return one;
  };
  const make = (name, attributes = {}, ...children) =>
    fill(document.createElement(name), attributes, children);
  const draw = (name, attributes = {}, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

  const show = (place, found) => {
    const [value, inside] = say(found);
    place.replaceChildren(value, " ", make("span", { class: "interval" }, inside));
  };

  // -- one label ------------------------------------------------------------------------------------

  class Label {
    constructor(one, straddle, silent, moved, id, changed) {
      Object.assign(this, { one, straddle, silent, moved, changed });
      const most = (one.high || one.p).reduce((top, x) => Math.max(top, x || 0), 0);
      this.top = TOPS.find((top) => most <= top) || 1;
      this.places = {};
      this.build(id);
      this.back();
    }

    get rule() {
      const threshold = this.threshold ?? Infinity;
      return { threshold, review: Math.min(this.review ?? Infinity, threshold) };
    }

    get untouched() {
      return this.threshold === this.one.threshold;
    }

    back() {
      this.threshold = this.last = this.one.threshold;
      this.last ??= this.top;
      this.review = this.one.review_from;
      this.update();
    }

    update() {
      const { rule } = this;
      this.outcomes = this.one.p.map((_, at) =>
        closed(settle(this.one, at, rule, this.straddle), this.silent[at]));
      this.rates = count(this.one.gold, this.outcomes);
      for (const [name, place] of Object.entries(this.places)) show(place, this.rates[name]);
      const never = this.threshold === null;
      const words = ["precision", "recall"].map((name) => `${name} ${say(this.rates[name])[0]}`);
      this.set(this.cut, never ? this.last : this.threshold, words);
      this.set(this.band, this.review === null ? this.top : rule.review, [
        `in review ${say(this.rates.review)[0]}`,
      ]);
      this.never.checked = never;
      this.none.checked = this.review === null;
      for (const one of this.cut) one.disabled = never;
      for (const one of this.band) one.disabled = this.review === null;
      this.mark(never ? null : this.threshold, words);
    }

    set([range, field], value, words) {
      range.value = value;
      range.setAttribute("aria-valuetext", `${value}: ${words.join(", ")}`);
      if (document.activeElement !== field) field.value = value;
    }

    // lost: what is said where the guarantee went with another label's, or null.
    tell(lost) {
      this.why.textContent = this.untouched ? lost ?? this.one.says : this.moved;
      this.why.classList.toggle("moved", !this.untouched || lost !== null);
    }

    // -- how it looks -----------------------------------------------------------------------------

    build(id) {
      const { one } = this;
      const rates = Object.entries(SHARES).map(([name, title]) => {
        this.places[name] = make("dd", { "data-share": name });
        return make("div", {}, make("dt", {}, title), this.places[name]);
      });
      this.why = make("p", { class: "note why" });
      this.element = make(
        "fieldset", {},
        make("legend", {}, `${one.label}: ${one.action}`),
        make(
          "div", { class: "two" },
          make(
            "div", {},
            this.control(`${id}-from`, `${one.action} from`, "cut", (x) => { this.threshold = x; }),
            this.tick(`${id}-never`, "never", "never", (on) => {
              if (on) this.last = this.threshold;
              this.threshold = on ? null : this.last;
            }),
            this.control(`${id}-review`, "review from", "band", (x) => { this.review = x; }),
            this.tick(`${id}-none`, "no review", "none", (on) => {
              this.review = on ? null : this.threshold ?? this.top;
            }),
            this.why,
          ),
          this.curve(id),
        ),
        make("dl", {}, ...rates),
      );
    }

    control(id, title, name, move) {
      const label = make("label", { for: id }, title);
      const step = this.top / 1000;
      const range = make("input", { type: "range", id, min: 0, max: this.top, step });
      const named = `${this.one.label}: ${title}, as a number`;
      const field = make("input", { type: "number", min: 0, max: 1, step: "any", "aria-label": named });
      for (const one of [range, field]) {
        one.addEventListener("input", () => {
          const value = one.valueAsNumber;
          if (!(value >= 0 && value <= 1)) return;
          move(value);
          this.update();
          this.changed();
        });
      }
      field.addEventListener("blur", () => this.update());
      this[name] = [range, field];
      return make("div", { class: "control" }, label, range, field);
    }

    tick(id, title, name, move) {
      const box = make("input", { type: "checkbox", id });
      box.setAttribute("aria-label", `${this.one.label}: ${title}`);
      box.addEventListener("change", () => {
        move(box.checked);
        this.update();
        this.changed();
      });
      this[name] = box;
      return make("label", { class: "tick", for: id }, box, ` ${title}`);
    }

    // Precision and recall at thresholds from 0 to the end of the slider.
    curve(id) {
      const side = { point: "p", high: "high" }[this.straddle] || "low";
      const scores = this.one[side] || this.one.p;
      const points = { precision: [], recall: [] };
      for (let at = 0; at <= STEPS; at += 1) {
        const cut = (at / STEPS) * this.top;
        const outcomes = scores.map((x) => (x !== null && x >= cut ? ABOVE : BELOW));
        const found = count(this.one.gold, outcomes);
        for (const [name, line] of Object.entries(points)) {
          const { part, whole } = found[name];
          if (whole) line.push(`${this.x(cut).toFixed(1)},${this.y(part / whole).toFixed(1)}`);
        }
      }
      const line = (name, colour, dash) =>
        draw("polyline", {
          points: points[name].join(" "), fill: "none", stroke: `var(--c${colour})`,
          "stroke-width": 2, "stroke-dasharray": dash,
        });
      const text = (x, y, what, more = {}) => draw("text", { x, y, ...more }, what);
      const grid = [0, 0.5, 1].flatMap((share_) => [
        draw("line", { x1: 24, x2: 310, y1: this.y(share_), y2: this.y(share_), stroke: "var(--line)" }),
        text(20, this.y(share_) + 4, String(share_).replace("0.", "."), { "text-anchor": "end" }),
      ]);
      this.marker = draw("line", { y1: 8, y2: 96, stroke: "currentColor", "stroke-width": 1.5 });
      this.dots = [0, 1].map((colour) => draw("circle", { r: 4, fill: `var(--c${colour})` }));
      this.about = draw("desc", { id: `${id}-about` });
      const title = `Precision and recall of ${this.one.label}, by its threshold`;
      return draw(
        "svg",
        {
          viewBox: "0 0 320 132", role: "img", width: 320, height: 132,
          "aria-labelledby": `${id}-title ${id}-about`,
        },
        draw("title", { id: `${id}-title` }, title), this.about, ...grid,
        line("precision", 0, "none"), line("recall", 1, "6 4"), this.marker, ...this.dots,
        text(24, 110, "0"), text(310, 110, String(this.top), { "text-anchor": "end" }),
        text(167, 110, "threshold", { "text-anchor": "middle" }),
        text(24, 127, "\u2014 precision", { style: "fill:var(--c0)" }),
        text(120, 127, "- - recall", { style: "fill:var(--c1)" }),
      );
    }

    x(value) {
      return 24 + (286 * Math.min(value, this.top)) / this.top;
    }

    y(value) {
      return 96 - 88 * value;
    }

    mark(threshold, words) {
      this.about.textContent =
        threshold === null ? "The label is never given." : `At ${threshold}: ${words.join(", ")}.`;
      const x = this.x(threshold ?? 0);
      for (const name of ["x1", "x2"]) this.marker.setAttribute(name, x);
      this.marker.style.visibility = threshold === null ? "hidden" : "visible";
      ["precision", "recall"].forEach((name, at) => {
        const { part, whole } = this.rates[name], dot = this.dots[at];
        dot.style.visibility = threshold === null || !whole ? "hidden" : "visible";
        dot.setAttribute("cx", x);
        dot.setAttribute("cy", this.y(whole ? part / whole : 0));
      });
    }
  }

  // -- the policy file --------------------------------------------------------------------------------

  const float = (x) => (Number.isInteger(x) ? x.toFixed(1) : String(x));

  const noteOf = (inner) => JSON.parse(`{${inner}}`).note;

  // Like Policy.move for every threshold that was moved; what was not is saved to the letter.
  const policy = (labels, { rest, never, kept, moved, lost }) => {
    const any = labels.some((label) => !label.untouched);
    const rules = labels.map((label, at) => {
      const { one, rule, threshold, review } = label;
      const parts = [`"action": ${JSON.stringify(one.action)}`];
      parts.push(`"threshold": ${threshold === null ? never : float(threshold)}`);
      if (review !== null) parts.push(`"review_from": ${float(rule.review)}`);
      parts.push(!label.untouched ? moved[at] : any && lost !== null ? lost : kept[at]);
      return `  ${JSON.stringify(one.label)}: {${parts.join(", ")}}`;
    });
    return `{\n ${rest},\n "labels": {\n${rules.join(",\n")}\n }\n}\n`;
  };

  const save = (text) => {
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    make("a", { href: url, download: "policy.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  };

  // -- all together -------------------------------------------------------------------------------------

  const build = (place, found) => {
    const id = `explorer-${place.dataset.run}-${place.dataset.model}`;
    const { saving } = found;
    const summary = make("p", { class: "summary", role: "status" });
    const changed = () => {
      let review = 0;
      const actions = ACTIONS.map(() => 0);
      for (let at = 0; at < found.records; at += 1) {
        let strictest = 0, reviewed = false;
        for (const { outcomes, one } of labels) {
          reviewed ||= outcomes[at] === REVIEW;
          const degree = outcomes[at] === ABOVE ? ACTIONS.indexOf(one.action) : 0;
          strictest = Math.max(strictest, outcomes[at] === REVIEW ? 2 : degree);
        }
        review += reviewed;
        actions[strictest] += 1;
      }
      const parts = ACTIONS.map((name, at) => `${name} ${actions[at]}`);
      const touched = labels.filter((label) => !label.untouched);
      for (const one of labels) one.tell(touched.length && saving.lost ? noteOf(saving.lost) : null);
      const names = touched.map((label) => label.one.label).join(", ");
      const hint = touched.length ? ` Moved by hand, saved without guarantee: ${names}.` : "";
      const load = say(share(review, found.records)).join(" ");
      summary.textContent = `In review: ${load}. Records: ${parts.join(", ")}.${hint}`;
    };
    const silent = Array.from({ length: found.records }, (_, at) =>
      found.verdict !== null && !(found.verdict[at] >= found.min_verdict));
    const labels = found.labels.map(
      (one, at) =>
        new Label(one, found.straddle, silent, noteOf(saving.moved[at]), `${id}-${at}`, changed),
    );
    const keep = make("button", { type: "button", class: "save" }, "Save the policy");
    keep.addEventListener("click", () => save(policy(labels, saving)));
    const name = found.given ? "Back to the policy" : "Back to the comparison";
    const back = make("button", { type: "button", class: "back" }, name);
    back.addEventListener("click", () => {
      labels.forEach((label) => label.back());
      changed();
    });
    place.append(
      make("h4", {}, "Move the thresholds"),
      make(
        "p", { class: "note" },
        "A threshold that is moved by hand is saved without a guarantee, and the file says so.",
      ),
      ...labels.map((label) => label.element),
      make("div", { class: "done" }, summary, keep, back),
    );
    changed();
  };

  const data = JSON.parse(document.getElementById("data").textContent);
  for (const place of document.querySelectorAll(".explorer")) {
    build(place, data.runs[place.dataset.run].models[place.dataset.model].thresholds);
  }
})();
