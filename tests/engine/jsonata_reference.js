// Evaluates [expression, variables] pairs from standard input with the npm package jsonata and prints, for each, one of
// {"v": value}, {"u": 1} for undefined, {"e": code} for an error. The package's folder is the first argument.
const jsonata = require(process.argv[2]);
const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'));

const finite = (_, value) => (typeof value === 'number' && !isFinite(value) ? String(value) : value);

async function answer([text, variables]) {
  try {
    const value = await jsonata(text).evaluate(undefined, variables);
    if (value === undefined) return { u: 1 };
    if (typeof value === 'function' || (value && value._jsonata_lambda)) return { e: 'function' };
    return { v: JSON.parse(JSON.stringify(value, finite)) };
  } catch (error) {
    return { e: error.code || String(error.message || error) };
  }
}

(async () => {
  const answers = [];
  for (const one of cases) answers.push(await answer(one));
  console.log(JSON.stringify(answers));
})();
