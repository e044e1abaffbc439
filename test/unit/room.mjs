// The room of the demo, for an example that takes no `backend`.
import { simulatedRoom } from '../../examples/simulated-room.mjs';

export default simulatedRoom();
