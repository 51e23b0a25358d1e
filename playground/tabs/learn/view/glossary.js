/* The glossary: every term in both languages, what it means, and the lesson that teaches it. */

const WORDS = tp.words({
  en: {
    short: "Glossary",
    title: "Glossary: the field's words, in English and Chinese",
    search: "Search the glossary",
    none: "No term contains this. Try another word, in English or in Chinese.",
    /** @type {(shown: number, all: number) => string} */
    count: (shown, all) => (shown === all ? `${all} terms` : `${shown} of ${all} terms`),
  },
  zh: {
    short: "术语表",
    title: "术语表：英文与中文",
    search: "搜索术语",
    none: "没有术语包含这个词。换一个词试试，中文英文都可以。",
    count: (shown, all) => (shown === all ? `${all} 个术语` : `${all} 个术语中的 ${shown} 个`),
  },
});

const looked = { text: "", open: false };

function glossary() {
  /** @type {Term[]} */
  const terms = props.terms;
  const chinese = tp.language === "zh";
  const rows = terms.map((term) => {
    const [first, second] = chinese ? [term.zh, term.en] : [term.en, term.zh];
    const node = el(
      "div",
      {},
      el("dt", {}, first, first === second ? "" : el("i", { lang: chinese ? "en" : "zh-CN", text: second })),
      el("dd", {}, el("span", { text: `${tp.terms.means(term)} ` }), tp.terms.lesson(term)),
    );
    return { node, text: [term.en, term.zh, ...(term.also ?? []), tp.terms.means(term)].join("\n").toLowerCase() };
  });
  const count = el("p", { class: "count", role: "status" });
  const field = el("input", { type: "search", id: "glossary-search", "aria-label": WORDS.search, value: looked.text });
  field.placeholder = WORDS.search;
  const search = () => {
    looked.text = field.value;
    const wanted = field.value.trim().toLowerCase();
    let shown = 0;
    for (const { node, text } of rows) {
      node.hidden = !text.includes(wanted);
      shown += Number(!node.hidden);
    }
    put(count, shown ? WORDS.count(shown, rows.length) : WORDS.none);
  };
  field.addEventListener("input", search);
  search();
  const list = el(
    "dl",
    {},
    rows.map(({ node }) => node),
  );
  const node = el(
    "details",
    { class: "words", id: "glossary" },
    el("summary", { text: WORDS.title }),
    el("div", { class: "search" }, field, count),
    list,
  );
  if (looked.open) node.setAttribute("open", "");
  node.addEventListener("toggle", () => (looked.open = node.open));
  return node;
}
