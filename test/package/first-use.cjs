// Uses the package for the first time and prints the error, or `loaded`. PRETEND, as JSON, sets properties of
// `process` before: what another machine would have there.
for (const [name, value] of Object.entries(JSON.parse(process.env.PRETEND ?? '{}'))) {
  Object.defineProperty(process, name, { value });
}
const { SimulatedAudio } = require('patchcord/testing');
try {
  new SimulatedAudio();
  console.log(JSON.stringify({ message: 'loaded' }));
} catch ({ code, message, remedy }) {
  console.log(JSON.stringify({ code, message, remedy }));
}
