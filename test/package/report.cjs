// What a program that uses the installed package sees, as one line of JSON: which addon file is in the
// process after the import and after the first use, the simulated devices, the error when there is no addon,
// and whether the other module system, as which `otherWay` loads the package, sees the same class.
module.exports = async function report({ AudioError, listDevices, SimulatedAudio }, otherWay) {
  const addons = () =>
    process.report.getReport().sharedObjects.filter((file) => /patchcord[^/\\]*\.node$/.test(file));
  const result = { afterImport: addons() };
  try {
    const backend = new SimulatedAudio();
    result.devices = (await listDevices({ backend })).map(({ name, flow }) => ({ name, flow }));
    await backend[Symbol.asyncDispose]();
  } catch (error) {
    result.error = { code: error.code, message: error.message };
  }
  result.isSameClass = AudioError === (await otherWay()).AudioError;
  result.afterUse = addons();
  console.log(JSON.stringify(result));
};
