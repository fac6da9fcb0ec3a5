/** Get Cost Estimate: the credits of a video by the price table. No request, no credential. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { invalidInput } from '../../shared/task/errors';
import { creditsOf } from '../../shared/task/models';
import { checkSettings } from '../../shared/task/request';
import { fieldProblems, rawFields } from '../run/parameters';
import { NO_SEED, type Result } from '../run/output';
import type { Run } from '../run/run';

function estimate(context: IExecuteFunctions, itemIndex: number): Result {
	try {
		const names = ['resolution', 'duration', 'generateAudio'];
		const checked = checkSettings(rawFields(context, itemIndex, names));
		if (!checked.ok) return { seed: NO_SEED, problem: invalidInput(checked.problems) };
		const { resolution, duration, generateAudio } = checked.value;
		return {
			seed: NO_SEED,
			json: {
				estimated_credits: creditsOf(checked.value),
				resolution,
				duration,
				generate_audio: generateAudio,
			},
		};
	} catch (error) {
		const problem = invalidInput(fieldProblems(error));
		return { seed: NO_SEED, problem };
	}
}

/** Gives one estimate per item, in order. */
export async function estimateCost({ context }: Run): Promise<Result[]> {
	return context.getInputData().map((_, itemIndex) => estimate(context, itemIndex));
}
