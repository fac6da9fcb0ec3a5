/** Get Cost Estimate: the credits of a video by the price table. No request, no credential. */
import { invalidInput } from '../../shared/task/errors';
import { creditsOf } from '../../shared/task/models';
import { checkSettings } from '../../shared/task/request';
import { priceFields } from '../description/fields';
import { modelField } from '../description/modelFields';
import { dropdownNotice } from '../description/toolFields';
import { NO_SEED, type Result } from '../run/result';
import { fieldProblems, videoFields } from '../run/parameters';
import type { Run } from '../run/run';
import type { Operation } from './operation';

const FIELDS = [modelField, ...priceFields];
const NAMES = [...new Set(FIELDS.map(({ name }) => name))];

function estimate({ context }: Run, itemIndex: number): Result {
	try {
		const checked = checkSettings(videoFields(context, itemIndex, NAMES));
		if (!checked.ok) return { seed: NO_SEED, problem: invalidInput(checked.problems) };
		const { model, resolution, duration, generateAudio } = checked.value;
		return {
			seed: NO_SEED,
			json: {
				estimated_credits: creditsOf(checked.value),
				model: model.value,
				resolution: resolution ?? null,
				duration: String(duration),
				generate_audio: generateAudio,
			},
		};
	} catch (error) {
		return { seed: NO_SEED, problem: invalidInput(fieldProblems(error)) };
	}
}

export const estimateCost: Operation = {
	label: 'Get Cost Estimate',
	action: 'Get cost estimate',
	description: 'Calculate the credits without generating',
	fields: [dropdownNotice, ...FIELDS],
	callsApi: false,
	run: async (run) => run.input.map((_, itemIndex) => estimate(run, itemIndex)),
};
