// What a program that uses the installed package sees, as one line of JSON: which addon file is in the
// process after the import and after the first use, the simulated devices, and the error when there
// is no addon. `otherBuild` loads the package as the other module system sees it.
module.exports = async function report({ AudioError, listDevices, SimulatedAudio }, otherBuild) {
  const addons = () =>
    process.report.getReport().sharedObjects.filter((file) => /patchcord[^/\\]*\.node$/.test(file));
  const result = { afterImport: addons() };
  try {
    const backend = new SimulatedAudio();
    result.devices = (await listDevices({ backend })).map(({ name, flow }) => ({ name, flow }));
    await backend.close?.();
  } catch (error) {
    const { AudioError: Other } = await otherBuild();
    result.error = { code: error.code, message: error.message };
    result.isAudioError = error instanceof AudioError;
    result.isAudioErrorAcrossBuilds = error instanceof Other;
  }
  result.afterUse = addons();
  console.log(JSON.stringify(result));
};
