"""Systems: one chapter each, where parts of the library meet.

Those that read captions say the same. `captions` are text, *tokens* (rows of word numbers) or
*states* (what `text_encoder` makes of tokens, and the network reads); `encode_captions` makes
states of them. `loss(x, cond=)` drops a fraction `p_drop` of them; `denoiser(captions,
guidance_scale=)`, of latent diffusion `guided_velocity`, is the guided network; `draw(captions)`
makes one picture or video for each, and `sample(n, cond=)` is that of every `Sampleable`.
"""
