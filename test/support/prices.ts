/** Prices for tests of what is shown. */
import { creditsOf, DEFAULT_MODEL } from '../../nodes/shared/task/models';

/** Credits of a video of the default model; `duration` in seconds. */
export const creditsFor = (resolution: string, duration: number, generateAudio: boolean): number =>
	creditsOf({ model: DEFAULT_MODEL, resolution, duration, generateAudio, referenceVideos: 0 });
