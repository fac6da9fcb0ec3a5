// Half of the random schedules; the other half runs at the same time.
import { describeShare } from './schedules.cjs';

describe('share 1', () => describeShare(1));
